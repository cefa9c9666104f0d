"""What applications do through pg8000, which is Python alone; says "done" at the end."""

import io
import ssl

import pg8000.dbapi
import pg8000.native

import login
import pg_values as values

PLACES = ", ".join(["%s"] * 15)


def settings():
    context = ssl.create_default_context(cafile=login.AUTHORITY) if login.AUTHORITY else False
    return {
        "host": login.HOST,
        "port": login.PORT,
        "user": login.USER,
        "password": login.PASSWORD,
        "database": login.DATABASE,
        "ssl_context": context,
        "application_name": "pg8000 tour",
        "timeout": 60,
    }


def fails_with(state, run):
    try:
        run()
    except pg8000.dbapi.DatabaseError as error:
        assert error.args[0]["C"] == state, error
    else:
        raise AssertionError(f"{state} was not raised")


def rows_of_every_type(connection):
    cursor = connection.cursor()
    cursor.execute(values.TABLE.format("pg8000"))
    # It knows no type of an empty list.
    rows = [tuple(None if value == [] else value for value in row) for row in values.ROWS]
    insert = f"insert into pg8000 ({values.COLUMNS}) values ({PLACES})"
    cursor.executemany(insert, rows)
    connection.commit()
    cursor.execute(f"select {values.COLUMNS} from pg8000 order by id")
    found = [tuple(row) for row in cursor.fetchall()]
    assert found == rows, found
    cursor.execute("select name from pg8000 where id = %s", (1,))
    assert cursor.fetchone() == [rows[0][9]]
    connection.commit()


def transactions(connection):
    cursor = connection.cursor()
    cursor.execute("delete from pg8000")
    connection.rollback()
    cursor.execute("select count(*) from pg8000")
    assert cursor.fetchone() == [3]
    connection.commit()
    for state, statement in [("42601", "selec 1"), ("42P01", "select * from missing_table"), ("23505", "insert into pg8000 (id) values (1)")]:
        fails_with(state, lambda: cursor.execute(statement))
        fails_with("25P02", lambda: cursor.execute("select 1"))
        connection.rollback()
    # It knows its transaction again by a name like this only.
    name = connection.xid(0, f"pg8000 {login.DATABASE}", "")
    connection.tpc_begin(name)
    cursor.execute("update pg8000 set small = 7 where id = 1")
    connection.tpc_prepare()
    connection.tpc_rollback(name)
    assert name not in connection.tpc_recover()
    cursor.execute("select count(*) from pg8000 where small = 7")
    assert cursor.fetchone() == [0]
    connection.rollback()


def copies(connection):
    cursor = connection.cursor()
    cursor.execute("create table copied (n int, data text)")
    lines = "".join(f"{number}\tä {number}\n" for number in range(20000))
    cursor.execute("copy copied from stdin", stream=io.BytesIO(lines.encode()))
    out = io.BytesIO()
    cursor.execute("copy (select * from copied order by n) to stdout", stream=out)
    assert out.getvalue().decode() == lines
    connection.commit()
    fails_with("22P02", lambda: cursor.execute("copy copied from stdin", stream=io.BytesIO(b"x\ty\n" * 5000)))
    connection.rollback()


def natively():
    connection = pg8000.native.Connection(**settings())
    assert connection.run("select :a::int + 1, :b", a=41, b="x") == [[42, "x"]]
    statement = connection.prepare("select cast(:number as int) * 2, cast(:text as text)")
    for number in range(20):
        assert statement.run(number=number, text="x" * number) == [[number * 2, "x" * number]]
    statement.close()
    # Several statements are one message where there are no parameters.
    connection.run("create table native (a int); insert into native values (1), (2)")
    assert connection.run("select sum(a) from native") == [[3]]
    connection.run("listen native")
    other = pg8000.native.Connection(**settings())
    other.run("notify native, 'hello'")
    for _ in range(1000):
        # What is told comes with the next answer.
        connection.run("select pg_sleep(0.01)")
        if connection.notifications:
            break
    assert [tuple(notice[1:]) for notice in connection.notifications] == [("native", "hello")]
    connection.run("set timezone = 'Asia/Kathmandu'")
    assert connection.parameter_statuses["TimeZone"] == "Asia/Kathmandu"
    blob = bytes(range(256)) * (8 << 12)
    assert connection.run("select length(cast(:blob as bytea)), cast(:blob as bytea)", blob=blob) == [[len(blob), blob]]
    connection.run("do $$ begin raise notice 'hello'; end $$")
    assert connection.notices[-1][b"M"] == b"hello"
    other.close()
    connection.close()


connection = pg8000.dbapi.connect(**settings())
rows_of_every_type(connection)
transactions(connection)
copies(connection)
connection.close()
natively()
fails_with("28P01", lambda: pg8000.dbapi.connect(**{**settings(), "password": "wrong"}))
print("done")
