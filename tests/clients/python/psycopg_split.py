"""Reads and writes through psycopg 3, in each way that it can send them: the plugin splits them; says "done"."""

import psycopg

import login

PRIMARY, REPLICA = "1", "2"
READ = "select current_setting('cluster_name') from t where id > %s limit 1"
WRITE = "insert into t (server) values (current_setting('cluster_name') || %s) returning server"


def connect(**more):
    return psycopg.connect(
        host=login.HOST,
        port=login.PORT,
        user=login.USER,
        password=login.PASSWORD,
        dbname=login.DATABASE,
        sslmode="disable",
        autocommit=True,
        **more,
    )


def one(connection, statement, parameters, **more):
    [[value]] = connection.execute(statement, parameters, **more).fetchall()
    return value


def each_way(connection, *ways):
    for more in ways:
        for _ in range(7):
            assert one(connection, READ, [0], **more) == REPLICA, more
            assert one(connection, WRITE, [""], **more) == PRIMARY, more


def in_transactions(connection):
    with connection.transaction():
        assert one(connection, READ, [0]) == PRIMARY
        assert one(connection, WRITE, [""]) == PRIMARY
    assert one(connection, READ, [0]) == REPLICA


def read_only(connection):
    connection.read_only = True
    with connection.transaction():
        assert one(connection, READ, [0]) == REPLICA
    connection.read_only = None


def pipelined(connection):
    with connection.pipeline():
        cursors = [connection.execute(READ, [0]), connection.execute(WRITE, [""])]
        values = [cursor.fetchone()[0] for cursor in cursors]
    assert values[1] == PRIMARY, values
    assert one(connection, READ, [0]) == REPLICA


def copied(connection):
    with connection.cursor() as cursor:
        with cursor.copy("copy t (server) from stdin") as copy:
            copy.write_row(["copied"])
        assert one(connection, READ, [0]) == REPLICA
        with cursor.copy("copy (select server from t where server = 'copied') to stdout") as copy:
            assert list(copy.rows()) == [("copied",)]


with connect() as connection:
    each_way(connection, {}, {"prepare": False}, {"prepare": True}, {"binary": True})
    in_transactions(connection)
    read_only(connection)
    pipelined(connection)
    copied(connection)
with connect(cursor_factory=psycopg.ClientCursor) as connection:
    each_way(connection, {})

print("done")
