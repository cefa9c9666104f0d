"""Rows that are easily damaged on the way, and the table that they go into."""

import datetime
from decimal import Decimal

TABLE = """
create table {} (
    id int unsigned auto_increment primary key,
    small tinyint, big bigint, huge bigint unsigned, price decimal(20, 6), ratio double,
    day date, at datetime(6), moment timestamp(3) null, lasts time(6), born year,
    name varchar(100) character set utf8mb4, note mediumtext character set utf8mb4,
    raw varbinary(300), data longblob, kind enum('a', '日'), unique (name)
) character set utf8mb4
"""

COLUMNS = (
    "small, big, huge, price, ratio, day, at, moment, lasts, born, name, note, raw, data, kind"
)

ROWS = [
    (
        -128,
        -(2**63),
        2**64 - 1,
        Decimal("-12345678901234.567890"),
        1.5e300,
        datetime.date(2024, 2, 29),
        datetime.datetime(2038, 1, 19, 3, 14, 8, 123456),
        datetime.datetime(2030, 6, 1, 12, 0, 0, 987000),
        datetime.timedelta(hours=-838, minutes=-59, seconds=-58),
        2024,
        "Zoë O'Brien \\ \"🌊\" 日本語",
        "ä" * 70_000,
        bytes(range(256)),
        bytes(range(256)) * 400,
        "日",
    ),
    (None,) * 15,
    (
        0,
        0,
        0,
        Decimal("0.000001"),
        -0.1,
        datetime.date(1000, 1, 1),
        datetime.datetime(9999, 12, 31, 23, 59, 59),
        datetime.datetime(1980, 1, 2, 3, 4, 5),
        datetime.timedelta(0, 1, 5),
        1901,
        "",
        "",
        b"",
        b"\x00",
        "a",
    ),
]
