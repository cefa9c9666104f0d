"""Statements with query attributes, as mysql-connector-python sends them."""

import login
import mysql.connector

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

for pure in (True, False):
    connection = mysql.connector.connect(
        host=login.HOST,
        port=login.PORT,
        user=login.USER,
        password=login.PASSWORD,
        use_pure=pure,
        ssl_disabled=True,
        # The collation that it takes by itself is one of MySQL 8.
        collation="utf8mb4_general_ci",
    )
    name = "pure" if pure else "native"
    with connection.cursor() as cursor:
        cursor.add_attribute("traceparent", PARENT)
        cursor.execute(f"select 1 as text_{name}, %s", ("7",))
        assert cursor.fetchall() == [(1, "7")]
        cursor.clear_attributes()
        cursor.execute(f"select 1 as plain_{name}")
        assert cursor.fetchall() == [(1,)]
        # What is replaced keeps what is attached.
        cursor.add_attribute("traceparent", PARENT)
        cursor.add_attribute("number", 7)
        cursor.execute("select @@server_id")
        assert cursor.fetchall()
    with connection.cursor(prepared=True) as cursor:
        for number in range(3):
            cursor.clear_attributes()
            cursor.add_attribute("number", number)
            cursor.add_attribute("traceparent", PARENT)
            cursor.execute(f"select %s as prepared_{name}, %s", (number, "x" * 300))
            assert cursor.fetchall() == [(number, "x" * 300)]
        cursor.clear_attributes()
        cursor.execute(f"select %s as prepared_{name}, %s", ("y", 1.5))
        assert cursor.fetchall() == [("y", 1.5)]
    connection.close()
print("done")
