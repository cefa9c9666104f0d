"""What applications do through mysqlclient; says "done" at the end."""

import MySQLdb
from MySQLdb.constants import CLIENT, ER
from MySQLdb.cursors import DictCursor, SSCursor

import login
import values


def connect(**more):
    tls = {"ssl_mode": "VERIFY_IDENTITY", "ssl": {"ca": login.AUTHORITY}}
    return MySQLdb.connect(
        host=login.HOST,
        port=login.PORT,
        user=login.USER,
        password=login.PASSWORD,
        database=login.DATABASE,
        charset="utf8mb4",
        client_flag=CLIENT.MULTI_STATEMENTS,
        compress=login.COMPRESS,
        **(tls if login.AUTHORITY else {"ssl_mode": "DISABLED"}),
        **more,
    )


def fails_with(code, kind, cursor, statement):
    try:
        cursor.execute(statement)
    except MySQLdb.Error as error:
        assert error.args[0] == code, error
        assert isinstance(error, kind), repr(error)
    else:
        raise AssertionError(f"{statement!r} did not fail")


def rows_of_every_type(connection):
    with connection.cursor() as cursor:
        cursor.execute("drop table if exists client")
        cursor.execute(values.TABLE.format("client"))
        places = ", ".join(["%s"] * 15)
        insert = f"insert into client ({values.COLUMNS}) values ({places})"
        assert cursor.executemany(insert, values.ROWS) == len(values.ROWS)
        connection.commit()
        cursor.execute(f"select {values.COLUMNS} from client order by id")
        for found, row in zip(cursor.fetchall(), values.ROWS, strict=True):
            assert found == row, (found, row)
    with connection.cursor(DictCursor) as cursor:
        cursor.execute("select id, name from client where name = %(name)s", {"name": ""})
        assert cursor.fetchall() == ({"id": 3, "name": ""},)


def errors(connection):
    with connection.cursor() as cursor:
        fails_with(ER.PARSE_ERROR, MySQLdb.ProgrammingError, cursor, "selec 1")
        fails_with(ER.NO_SUCH_TABLE, MySQLdb.ProgrammingError, cursor, "select * from missing_table")
        duplicate = "insert into client (id) values (1)"
        fails_with(ER.DUP_ENTRY, MySQLdb.IntegrityError, cursor, duplicate)
        cursor.execute("select cast('x' as signed)")
        assert cursor.fetchone() == (0,)
        assert connection.warning_count() == 1
        [(level, code, _)] = connection.show_warnings()
        assert (level, code) == ("Warning", ER.TRUNCATED_WRONG_VALUE)
    connection.rollback()


def transactions(connection):
    with connection.cursor() as cursor:
        cursor.execute("insert into client (small) values (1)")
        assert connection.insert_id() == cursor.lastrowid == 4
        cursor.execute("delete from client")
        connection.rollback()
        cursor.execute("select count(*) from client")
        assert cursor.fetchone() == (3,)
        connection.commit()
        connection.autocommit(True)
        cursor.execute("update client set note = 'kept' where id = 2")
        connection.rollback()
        cursor.execute("select note from client where id = 2")
        assert cursor.fetchone() == ("kept",)
        connection.autocommit(False)


def many_results(connection):
    with connection.cursor() as cursor:
        cursor.execute("select 1; update client set small = 1 where id = 0; select 2, 'ä'")
        results = [cursor.fetchall()]
        while cursor.nextset():
            results.append(cursor.fetchall())
        assert results == [((1,),), (), ((2, "ä"),)], results
        connection.commit()
        cursor.execute("drop procedure if exists client_two")
        cursor.execute("create procedure client_two(in a int) begin select a; select a + 1; end")
        cursor.callproc("client_two", (41,))
        results = [cursor.fetchall()]
        while cursor.nextset():
            results.append(cursor.fetchall())
        assert results[:2] == [((41,),), ((42,),)], results


def large_results(connection):
    with connection.cursor() as cursor:
        cursor.execute("create table if not exists client_numbers (n int primary key)")
        cursor.execute("delete from client_numbers")
        numbers = [(number,) for number in range(20_000)]
        cursor.executemany("insert into client_numbers values (%s)", numbers)
        connection.commit()
    # Rows stay at the server until they are asked for; what is not read is thrown away.
    with connection.cursor(SSCursor) as cursor:
        cursor.execute("select n, repeat('x', 1000) from client_numbers order by n")
        assert [number for number, _ in cursor.fetchmany(100)] == list(range(100))
    with connection.cursor() as cursor:
        cursor.execute("select 'after'")
        assert cursor.fetchall() == (("after",),)


def session_state(connection):
    connection.set_character_set("latin1")
    with connection.cursor() as cursor:
        cursor.execute("select @@character_set_client, hex('ä')")
        assert cursor.fetchone() == ("latin1", "E4")
        connection.set_character_set("utf8mb4")
        cursor.execute("select hex('ä')")
        assert cursor.fetchone() == ("C3A4",)
        connection.select_db("mysql")
        cursor.execute("select database()")
        assert cursor.fetchone() == ("mysql",)
        connection.ping()
        cursor.execute("set @mine = 1")
        connection.change_user(login.USER, login.PASSWORD, login.DATABASE)
        cursor.execute("select database(), @mine")
        assert cursor.fetchone() == (login.DATABASE, None)


connection = connect()
rows_of_every_type(connection)
errors(connection)
transactions(connection)
many_results(connection)
large_results(connection)
session_state(connection)
connection.close()
print("done")
