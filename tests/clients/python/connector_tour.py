"""What applications do through mysql-connector-python; says "done" at the end.

Twice: by its own Python code, and by the C library of MySQL that it brings.
"""

import datetime
from decimal import Decimal

import mysql.connector
from mysql.connector import errorcode
from mysql.connector.pooling import MySQLConnectionPool

import login
import values

PLACES = ", ".join(["%s"] * 15)


def settings(pure):
    tls = {"ssl_ca": login.AUTHORITY, "ssl_verify_identity": True} if login.AUTHORITY else {}
    return {
        "host": login.HOST,
        "port": login.PORT,
        "user": login.USER,
        "password": login.PASSWORD,
        "database": login.DATABASE,
        "charset": "utf8mb4",
        "use_pure": pure,
        "compress": login.COMPRESS,
        **(tls or {"ssl_disabled": True}),
    }


def fails_with(code, kind, cursor, statement, parameters=()):
    try:
        cursor.execute(statement, parameters)
    except mysql.connector.Error as error:
        assert error.errno == code, error
        assert isinstance(error, kind), repr(error)
    else:
        raise AssertionError(f"{statement!r} did not fail")


def same(found, row):
    """Texts of binary columns come as what the connector thinks best."""
    plain = tuple(bytes(v) if isinstance(v, bytearray) else v for v in found)
    assert plain == row, (plain, row)


def rows_of_every_type(connection):
    with connection.cursor() as cursor:
        cursor.execute("drop table if exists connector")
        cursor.execute(values.TABLE.format("connector"))
        insert = f"insert into connector ({values.COLUMNS}) values ({PLACES})"
        cursor.executemany(insert, values.ROWS)
        assert cursor.rowcount == len(values.ROWS)
        connection.commit()
        cursor.execute(f"select {values.COLUMNS} from connector order by id")
        for found, row in zip(cursor.fetchall(), values.ROWS, strict=True):
            same(found, row)
    with connection.cursor(dictionary=True) as cursor:
        cursor.execute("select id, name from connector where name = %(name)s", {"name": ""})
        assert cursor.fetchall() == [{"id": 3, "name": ""}]


def prepared_statements(connection):
    with connection.cursor(prepared=True) as cursor:
        insert = f"insert into connector ({values.COLUMNS}) values ({PLACES})"
        for number in range(5):
            cursor.execute(insert, (number, *[None] * 9, f"prepared {number}", *[None] * 4))
        assert cursor.lastrowid > 4
        row = (7, -7, 7, Decimal("7.5"), 0.5, datetime.date(2020, 2, 2), *[None] * 9)
        cursor.execute(insert, row)
        connection.commit()
        cursor.execute("select small, big, huge, price, ratio, day from connector where small = %s", (7,))
        assert cursor.fetchall() == [row[:6]]
        cursor.execute("select name from connector where name like %s order by name", ("prepared%",))
        assert [name for (name,) in cursor] == [f"prepared {number}" for number in range(5)]


def errors(connection):
    with connection.cursor() as cursor:
        programming = mysql.connector.ProgrammingError
        fails_with(errorcode.ER_PARSE_ERROR, programming, cursor, "selec 1")
        fails_with(errorcode.ER_NO_SUCH_TABLE, programming, cursor, "select * from missing_table")
        duplicate = "insert into connector (id) values (%s)"
        kind = mysql.connector.IntegrityError
        fails_with(errorcode.ER_DUP_ENTRY, kind, cursor, duplicate, (1,))
        cursor.execute("select cast('x' as signed)")
        assert cursor.fetchone() == (0,)
        cursor.execute("show warnings")
        assert cursor.fetchone()[1] == errorcode.ER_TRUNCATED_WRONG_VALUE
    connection.rollback()


def transactions(connection):
    with connection.cursor() as cursor:
        connection.start_transaction(isolation_level="SERIALIZABLE")
        assert connection.in_transaction
        cursor.execute("delete from connector")
        connection.rollback()
        assert not connection.in_transaction
        cursor.execute("start transaction read only")
        fails_with(1792, mysql.connector.Error, cursor, "delete from connector")
        cursor.execute("select count(*) from connector")
        assert cursor.fetchone() == (9,)
        connection.commit()


def many_results(connection):
    with connection.cursor() as cursor:
        cursor.execute("select 1; update connector set small = 1 where id = 0; select 2, 'ä'")
        found = [rows for _, rows in cursor.fetchsets()]
        assert found == [[(1,)], [], [(2, "ä")]], found
        connection.commit()
        cursor.execute("drop procedure if exists connector_two")
        cursor.execute(
            "create procedure connector_two(in a int, out b int) "
            "begin select a; select a + 1; set b = a + 2; end"
        )
        assert cursor.callproc("connector_two", (41, None))[1] == 43
        results = [result.fetchall() for result in cursor.stored_results()]
        assert results == [[(41,)], [(42,)]], results


def large_values(connection):
    blob = bytes(range(256)) * (8 << 12)
    with connection.cursor() as cursor:
        cursor.execute("insert into connector (data) values (%s)", (blob,))
        cursor.execute("select length(data), data from connector where id = %s", (cursor.lastrowid,))
        assert cursor.fetchone() == (len(blob), blob)
        connection.rollback()


def session_state(connection):
    with connection.cursor() as cursor:
        cursor.execute("set @mine = 7")
        connection.autocommit = True
        connection.sql_mode = "ANSI_QUOTES"
        connection.time_zone = "+05:00"
        cursor.execute("select @mine, @@autocommit, @@sql_mode, @@time_zone")
        assert cursor.fetchone() == (7, 1, "ANSI_QUOTES", "+05:00")
        connection.database = "mysql"
        cursor.execute("select database()")
        assert cursor.fetchone() == ("mysql",)
        connection.reset_session()
        cursor.execute("select @mine")
        assert cursor.fetchone() == (None,)


def reconnection(connection):
    connection.close()
    connection.ping(reconnect=True, attempts=2)
    with connection.cursor() as cursor:
        cursor.execute("select database()")
        assert cursor.fetchone() == (login.DATABASE,)


def another_user(connection):
    with connection.cursor() as cursor:
        cursor.execute("set @mine = 7")
    connection.cmd_change_user(login.USER, login.PASSWORD, login.DATABASE)
    with connection.cursor() as cursor:
        cursor.execute("select @mine, database()")
        assert cursor.fetchone() == (None, login.DATABASE)


def pool(pure):
    pool = MySQLConnectionPool(pool_name=f"pure{pure}", pool_size=2, **settings(pure))
    for number in range(6):
        connections = [pool.get_connection(), pool.get_connection()]
        for connection in connections:
            with connection.cursor() as cursor:
                # A pooled connection is reset before it is lent again.
                cursor.execute("select @leftover")
                assert cursor.fetchone() == (None,)
                cursor.execute("set @leftover = %s", (number,))
            connection.close()


for pure in (True, False):
    connection = mysql.connector.connect(**settings(pure))
    assert pure == (type(connection).__name__ == "MySQLConnection"), type(connection)
    rows_of_every_type(connection)
    prepared_statements(connection)
    errors(connection)
    transactions(connection)
    many_results(connection)
    large_values(connection)
    session_state(connection)
    if not login.COMPRESS:
        # It does not change the user inside compression.
        another_user(connection)
    reconnection(connection)
    # It takes MariaDB for MySQL 5.5, whose sessions it does not reset inside compression.
    can_reset = not login.COMPRESS or connection.server_version >= (5, 7, 3)
    connection.close()
    if can_reset:
        pool(pure)
print("done")
