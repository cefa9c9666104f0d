"""Megabytes through mysql-connector-python, both ways; says "done" at the end."""

import mysql.connector

import login

TEXT = "tidegate" * (20 << 17)

for pure in (True, False):
    connection = mysql.connector.connect(
        host=login.HOST,
        port=login.PORT,
        user=login.USER,
        password=login.PASSWORD,
        database=login.DATABASE,
        charset="utf8mb4",
        use_pure=pure,
        compress=login.COMPRESS,
        **({"ssl_ca": login.AUTHORITY} if login.AUTHORITY else {"ssl_disabled": True}),
    )
    with connection.cursor() as cursor:
        cursor.execute("select length(%s), %s", (TEXT, TEXT))
        assert cursor.fetchone() == (len(TEXT), TEXT)
        cursor.execute("select seq, repeat('x', 1000) from app.seq_1_to_20000")
        assert sum(number for number, _ in cursor.fetchall()) == 20000 * 20001 // 2
    connection.close()
print("done")
