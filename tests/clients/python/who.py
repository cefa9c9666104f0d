"""Logs in with PyMySQL and says as whom; whatever method the server asks for."""

import os

import pymysql

authority = os.environ.get("TIDEGATE_CA")
connection = pymysql.connect(
    host="127.0.0.1",
    port=int(os.environ["TIDEGATE_PORT"]),
    user=os.environ["TIDEGATE_USER"],
    password=os.environ["TIDEGATE_PASSWORD"],
    ssl={"ca": authority, "check_hostname": True} if authority else None,
    ssl_disabled=not authority,
)
with connection.cursor() as cursor:
    cursor.execute("select current_user()")
    print(cursor.fetchone()[0])
connection.close()
