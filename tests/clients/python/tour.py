"""What applications do through PyMySQL; says "done" at the end."""

import os

import pymysql
from pymysql.constants import CLIENT
from pymysql.cursors import SSCursor


def connect(**more):
    authority = os.environ.get("TIDEGATE_CA")
    return pymysql.connect(
        host="127.0.0.1",
        port=int(os.environ["TIDEGATE_PORT"]),
        user=os.environ["TIDEGATE_USER"],
        password=os.environ["TIDEGATE_PASSWORD"],
        database=os.environ["TIDEGATE_DATABASE"],
        ssl={"ca": authority, "check_hostname": True} if authority else None,
        ssl_disabled=not authority,
        client_flag=CLIENT.MULTI_STATEMENTS,
        charset="utf8mb4",
        max_allowed_packet=64 << 20,
        **more,
    )


def fails_with(code, cursor, statement):
    try:
        cursor.execute(statement)
    except pymysql.err.MySQLError as error:
        assert error.args[0] == code, error
    else:
        raise AssertionError(f"{statement!r} did not fail")


def rows_and_errors(connection):
    with connection.cursor() as cursor:
        cursor.execute("create or replace table py (id int primary key, name text, data longblob)")
        names = ["ä", "日本語", "🌊", None, "it's"]
        cursor.executemany("insert into py (id, name) values (%s, %s)", list(enumerate(names)))
        assert cursor.rowcount == len(names)
        connection.commit()
        cursor.execute("select name from py order by id")
        assert [name for (name,) in cursor.fetchall()] == names
        fails_with(1064, cursor, "selec 1")
        fails_with(1146, cursor, "select * from missing_table")
        fails_with(1062, cursor, "insert into py (id) values (0)")
        cursor.execute("select 1")
        assert cursor.fetchone() == (1,)


def transactions(connection):
    with connection.cursor() as cursor:
        connection.begin()
        cursor.execute("delete from py")
        cursor.execute("select count(*) from py")
        assert cursor.fetchone() == (0,)
        connection.rollback()
        cursor.execute("select count(*) from py")
        assert cursor.fetchone() == (5,)
        connection.commit()


def many_results(connection):
    with connection.cursor() as cursor:
        cursor.execute("select 1; select 2, 3; update py set name = 'x' where id = 0; select 'last'")
        results = [tuple(cursor.fetchall())]
        while cursor.nextset():
            results.append(tuple(cursor.fetchall()))
        assert results == [((1,),), ((2, 3),), (), (("last",),)], results
        connection.commit()
        cursor.execute("create or replace procedure py_two(in a int) begin select a; select a + 1; end")
        cursor.callproc("py_two", (41,))
        results = [tuple(cursor.fetchall())]
        while cursor.nextset():
            results.append(tuple(cursor.fetchall()))
        assert results[:2] == [((41,),), ((42,),)], results


def large_values(connection):
    blob = bytes(range(256)) * (8 << 12)
    with connection.cursor() as cursor:
        cursor.execute("select length(%s), %s", (blob, blob))
        length, back = cursor.fetchone()
        assert length == len(blob) and back == blob
    with connection.cursor(SSCursor) as cursor:
        cursor.execute("select seq, repeat('x', 1000) from seq_1_to_20000")
        total = sum(number for number, _ in cursor)
        assert total == 20000 * 20001 // 2, total


def session_state(connection):
    with connection.cursor() as cursor:
        cursor.execute("set @mine = 7, session sql_mode = 'ANSI_QUOTES'")
        cursor.execute("select @mine, @@session.sql_mode")
        assert cursor.fetchone() == (7, "ANSI_QUOTES")
        cursor.execute("create temporary table py_temporary (a int)")
        cursor.execute("insert into py_temporary values (1)")
        cursor.execute("select a from py_temporary")
        assert cursor.fetchone() == (1,)
        connection.select_db("mysql")
        cursor.execute("select database()")
        assert cursor.fetchone() == ("mysql",)
        connection.select_db(os.environ["TIDEGATE_DATABASE"])
        connection.ping(reconnect=False)
        if os.environ.get("TIDEGATE_CA"):
            cursor.execute("select 1")


connection = connect()
rows_and_errors(connection)
transactions(connection)
many_results(connection)
large_values(connection)
session_state(connection)
connection.close()
print("done")
