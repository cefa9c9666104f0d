"""What PostgreSQL's tours write and must read again: a column for each type that clients treat in
their own way, and rows for the ends of their ranges."""

import datetime
import uuid
from decimal import Decimal
from ipaddress import ip_address

TABLE = """create table {} (id serial primary key, small smallint, big bigint, price numeric(30, 10),
    ratio double precision, sold boolean, day date, lasts interval, at timestamp, moment timestamptz,
    name text unique, code uuid, host inet, data bytea, numbers int[], texts text[])"""

COLUMNS = "small, big, price, ratio, sold, day, lasts, at, moment, name, code, host, data, numbers, texts"

UTC = datetime.timezone.utc

ROWS = [
    (
        -(2**15),
        -(2**63),
        Decimal("12345678901234567890.0123456789"),
        1.5e300,
        True,
        datetime.date(2024, 2, 29),
        datetime.timedelta(days=3, seconds=5, microseconds=7),
        datetime.datetime(2038, 1, 19, 3, 14, 8, 123456),
        datetime.datetime(2024, 3, 31, 1, 30, tzinfo=UTC),
        "Zoë \"O'Brien\" \\ 🌊 日本語 $1 ? :x %s",
        uuid.UUID("12345678-9abc-def0-1234-56789abcdef0"),
        ip_address("2001:db8::7"),
        bytes(range(256)),
        [1, -2, 3],
        ["ä", "", "{,}", '"\\'],
    ),
    tuple([None] * 15),
    (
        2**15 - 1,
        2**63 - 1,
        Decimal("-0.0000000001"),
        -0.1,
        False,
        datetime.date(1, 1, 1),
        datetime.timedelta(0),
        datetime.datetime(1970, 1, 1),
        datetime.datetime(1999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        "",
        uuid.UUID(int=0),
        ip_address("127.0.0.1"),
        b"",
        [],
        [],
    ),
]
