"""What applications do through PyMySQL; says "done" at the end."""

import threading
import time

import pymysql
from pymysql.constants import CLIENT
from pymysql.cursors import DictCursor, SSCursor

import login
import values


def connect(**more):
    return pymysql.connect(
        host=login.HOST,
        port=login.PORT,
        user=login.USER,
        password=login.PASSWORD,
        database=login.DATABASE,
        ssl={"ca": login.AUTHORITY, "check_hostname": True} if login.AUTHORITY else None,
        ssl_disabled=not login.AUTHORITY,
        client_flag=CLIENT.MULTI_STATEMENTS,
        charset="utf8mb4",
        max_allowed_packet=64 << 20,
        **more,
    )


def fails_with(code, kind, cursor, statement):
    try:
        cursor.execute(statement)
    except pymysql.err.MySQLError as error:
        assert error.args[0] == code, error
        assert isinstance(error, kind), repr(error)
    else:
        raise AssertionError(f"{statement!r} did not fail")


def rows_of_every_type(connection):
    with connection.cursor() as cursor:
        cursor.execute("drop table if exists py")
        cursor.execute(values.TABLE.format("py"))
        places = ", ".join(["%s"] * 15)
        insert = f"insert into py ({values.COLUMNS}) values ({places})"
        cursor.executemany(insert, values.ROWS)
        assert cursor.rowcount == len(values.ROWS)
        connection.commit()
        cursor.execute(f"select {values.COLUMNS} from py order by id")
        for found, row in zip(cursor.fetchall(), values.ROWS, strict=True):
            assert found == row, (found, row)
    with connection.cursor(DictCursor) as cursor:
        cursor.execute("select id, name from py where name = %(name)s", {"name": ""})
        assert cursor.fetchall() == [{"id": 3, "name": ""}]


def errors(connection):
    with connection.cursor() as cursor:
        fails_with(1064, pymysql.ProgrammingError, cursor, "selec 1")
        fails_with(1146, pymysql.ProgrammingError, cursor, "select * from missing_table")
        fails_with(1062, pymysql.IntegrityError, cursor, "insert into py (id) values (1)")
        fails_with(1264, pymysql.DataError, cursor, "insert into py (small) values (300)")
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
        assert cursor.fetchone() == (3,)
        cursor.execute("savepoint one")
        cursor.execute("update py set note = 'x' where id = 1")
        cursor.execute("rollback to savepoint one")
        connection.commit()
        cursor.execute("select count(*) from py where note = 'x'")
        assert cursor.fetchone() == (0,)


def many_results(connection):
    with connection.cursor() as cursor:
        cursor.execute("select 1; select 2, 3; update py set small = 1 where id = 0; select 'last'")
        results = [tuple(cursor.fetchall())]
        while cursor.nextset():
            results.append(tuple(cursor.fetchall()))
        assert results == [((1,),), ((2, 3),), (), (("last",),)], results
        connection.commit()
        cursor.execute("drop procedure if exists py_two")
        cursor.execute("create procedure py_two(in a int) begin select a; select a + 1; end")
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


def large_results(connection):
    with connection.cursor() as cursor:
        cursor.execute("create table if not exists py_numbers (n int primary key)")
        cursor.execute("delete from py_numbers")
        cursor.executemany("insert into py_numbers values (%s)", [(n,) for n in range(20_000)])
        connection.commit()
    with connection.cursor(SSCursor) as cursor:
        cursor.execute("select n, repeat('x', 1000) from py_numbers")
        total = sum(number for number, _ in cursor)
        assert total == 19_999 * 20_000 // 2, total


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
        connection.select_db(login.DATABASE)


def interruption(connection):
    """Another connection ends the statement, then the connection."""
    over = threading.Event()

    def interrupt():
        with connect() as other, other.cursor() as cursor:
            while not over.wait(0.2):
                cursor.execute(f"kill query {connection.thread_id()}")

    killer = threading.Thread(target=interrupt)
    killer.start()
    started = time.monotonic()
    with connection.cursor() as cursor:
        # MySQL takes an interrupted sleep for one that has ended early.
        try:
            cursor.execute("select sleep(60)")
        except pymysql.OperationalError as error:
            assert error.args[0] == 1317, error
        over.set()
        killer.join()
        assert time.monotonic() - started < 50
        with connect() as other:
            other.kill(connection.thread_id())
        # An error may be told before the end comes.
        while connection.open:
            try:
                cursor.execute("select sleep(0.1)")
            except pymysql.OperationalError as error:
                assert error.args[0] in (1927, 2006, 2013), error


def reconnection(connection):
    connection.connect()
    with connection.cursor() as cursor:
        cursor.execute("select @mine, database()")
        assert cursor.fetchone() == (None, login.DATABASE)


connection = connect()
rows_of_every_type(connection)
errors(connection)
transactions(connection)
many_results(connection)
large_values(connection)
large_results(connection)
session_state(connection)
connection.ping()
interruption(connection)
reconnection(connection)
connection.close()
print("done")
