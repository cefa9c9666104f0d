"""What applications do through asyncpg, which speaks the extended protocol only; says "done"."""

import asyncio
import io
import json
import ssl

import asyncpg

import login
import pg_values as values

PLACES = ", ".join(f"${number}" for number in range(1, 16))


def settings():
    context = ssl.create_default_context(cafile=login.AUTHORITY) if login.AUTHORITY else False
    return {
        "host": login.HOST,
        "port": login.PORT,
        "user": login.USER,
        "password": login.PASSWORD,
        "database": login.DATABASE,
        "ssl": context,
        "timeout": 30,
        "server_settings": {"application_name": "asyncpg tour", "jit": "off", "my.start": "yes"},
    }


async def fails_with(kind, awaitable):
    try:
        await awaitable
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was not raised")


async def login_facts(connection):
    assert connection.get_server_version().major >= 15
    assert connection.get_settings().application_name == "asyncpg tour"
    row = await connection.fetchrow("select current_user, current_setting('jit'), current_setting('my.start')")
    assert tuple(row) == (login.USER, "off", "yes")
    assert connection.get_server_pid() > 0


async def rows_of_every_type(connection):
    await connection.execute(values.TABLE.format("asy"))
    insert = f"insert into asy ({values.COLUMNS}) values ({PLACES})"
    await connection.executemany(insert, values.ROWS)
    found = await connection.fetch(f"select {values.COLUMNS} from asy order by id")
    assert [tuple(row) for row in found] == values.ROWS, found
    assert await connection.fetchval("select id from asy where code = $1 and host = $2", *values.ROWS[0][10:12])
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    document = {"ä": [1, None, "🌊"]}
    assert await connection.fetchval("select $1::jsonb", document) == document
    await connection.reset_type_codec("jsonb", schema="pg_catalog")


async def types_of_its_own(connection):
    """It asks the catalogue what it does not know, by statements of its own."""
    await connection.execute("create type mood as enum ('sad', 'ok'); create type pair as (a int, b mood)")
    row = await connection.fetchval("select row(7, 'ok')::pair")
    assert (row["a"], row["b"]) == (7, "ok")
    assert await connection.fetchval("select array[$1::mood, 'sad']", "ok") == ["ok", "sad"]
    span = await connection.fetchval("select int4range(1, $1)", 5)
    assert (span.lower, span.upper) == (1, 5)


async def prepared_statements(connection):
    statement = await connection.prepare("select $1::int + 1, $2::text")
    assert [attribute.type.name for attribute in statement.get_attributes()] == ["int4", "text"]
    for number in range(20):
        assert tuple(await statement.fetchrow(number, "x" * number)) == (number + 1, "x" * number)
    del statement
    # More than its cache keeps: the first are closed.
    for number in range(130):
        assert await connection.fetchval(f"select {number} + $1::int", 1) == number + 1
    await connection.execute("create table changes (a int)")
    await connection.execute("insert into changes values (1)")
    assert tuple(await connection.fetchrow("select * from changes")) == (1,)
    await connection.execute("alter table changes add b text default 'new'")
    # The plan that it has is refused, and it prepares again.
    assert tuple(await connection.fetchrow("select * from changes")) == (1, "new")
    await connection.reload_schema_state()


async def errors(connection):
    await fails_with(asyncpg.PostgresSyntaxError, connection.execute("selec 1"))
    await fails_with(asyncpg.UndefinedTableError, connection.fetch("select * from missing_table where a = $1", 1))
    error = await fails_with(asyncpg.UniqueViolationError, connection.execute("insert into asy (id) values ($1)", 1))
    assert (error.sqlstate, error.table_name, error.constraint_name) == ("23505", "asy", "asy_pkey")
    await fails_with(asyncpg.DivisionByZeroError, connection.fetch("select 1 / (n - 500) from generate_series(1, 1000) n"))
    await fails_with(asyncpg.DataError, connection.fetch("select $1::int", "no number"))
    await fails_with(
        asyncpg.UniqueViolationError,
        connection.executemany("insert into asy (id) values ($1)", [(number,) for number in range(1000, 0, -1)]),
    )
    # All or nothing.
    assert await connection.fetchval("select count(*) from asy") == 3


async def transactions(connection):
    async with connection.transaction(isolation="serializable", readonly=True):
        assert await connection.fetchval("show transaction_isolation") == "serializable"

    async def write_in_read_only():
        async with connection.transaction(readonly=True):
            await connection.execute("delete from asy")

    await fails_with(asyncpg.ReadOnlySQLTransactionError, write_in_read_only())
    async with connection.transaction():
        await connection.execute("update asy set small = 5 where id = 1")
        try:
            async with connection.transaction():
                await connection.execute("delete from asy")
                raise KeyError
        except KeyError:
            pass
    assert await connection.fetchval("select count(*) from asy where small = 5") == 1


async def cursors(connection):
    async with connection.transaction():
        total = 0
        async for row in connection.cursor("select n, repeat('x', 100) from generate_series(1, $1::int) n", 5000, prefetch=37):
            total += row[0]
        assert total == 5000 * 5001 // 2
        # Two portals at a time, of two statements.
        one = await connection.cursor("select * from generate_series(1, 100)")
        two = await connection.cursor("select * from generate_series(101, $1::int)", 200)
        for start in range(0, 100, 10):
            assert [row[0] for row in await one.fetch(10)] == list(range(start + 1, start + 11))
            assert (await two.fetchrow())[0] == 101 + start // 10
        assert await two.forward(89) == 89
        assert (await two.fetchrow())[0] == 200
        assert await two.fetchrow() is None


async def copies(connection):
    rows = [(number, f"tab\t, line\n, \\ and ä {number}" if number % 3 else None) for number in range(20000)]
    await connection.execute("create table copied (n bigint, data text)")
    assert await connection.copy_records_to_table("copied", records=rows) == "COPY 20000"
    text = io.BytesIO()
    assert await connection.copy_from_query("select * from copied where n >= $1", 10000, output=text) == "COPY 10000"
    text.seek(0)
    assert await connection.copy_to_table("copied", source=text) == "COPY 10000"
    csv = io.BytesIO()
    await connection.copy_from_table("copied", output=csv, format="csv", header=True)
    assert csv.getvalue().startswith(b"n,data\n")
    await fails_with(
        asyncpg.BadCopyFileFormatError,
        connection.copy_to_table("copied", source=io.BytesIO(b"1\n" * 10000)),
    )

    async def gives_up():
        yield b"1\tx\n"
        raise KeyError

    await fails_with(KeyError, connection.copy_to_table("copied", source=gives_up()))
    assert await connection.fetchval("select count(*) from copied") == 30000


async def notifications(connection):
    listener = await asyncpg.connect(**settings())
    heard = asyncio.Queue()
    await listener.add_listener("asyncpg", lambda *notice: heard.put_nowait(notice[2:]))
    for number in range(3):
        await connection.execute("select pg_notify('asyncpg', $1)", f"number {number}")
    for number in range(3):
        assert await asyncio.wait_for(heard.get(), 30) == ("asyncpg", f"number {number}")
    # What it asks meanwhile is answered as ever.
    assert await listener.fetchval("select 7") == 7
    await listener.reset()
    assert heard.empty()
    logged = []
    connection.add_log_listener(lambda _, message: logged.append(message.message))
    await connection.execute("do $$ begin raise notice 'hello'; end $$")
    await asyncio.sleep(0)
    assert logged == ["hello"], logged
    await listener.close()


async def cancellation(connection):
    # It asks the server to cancel, on another connection, and goes on when that is answered.
    await fails_with(asyncio.TimeoutError, connection.fetch("select pg_sleep(61)", timeout=0.3))
    assert await connection.fetchval("select 1") == 1
    task = asyncio.ensure_future(connection.execute("select pg_sleep(61)"))
    await asyncio.sleep(0.1)
    task.cancel()
    await fails_with(asyncio.CancelledError, task)
    assert await connection.fetchval("select 2") == 2


async def session_state(connection):
    await connection.execute("set timezone = 'Asia/Kathmandu'; create temporary table mine (a int)")
    assert connection.get_settings().TimeZone == "Asia/Kathmandu"
    await connection.execute("insert into mine values ($1)", 7)
    assert await connection.fetchval("select a from mine") == 7
    assert await connection.fetchval("show timezone") == "Asia/Kathmandu"
    await connection.execute("select pg_advisory_lock(7)")
    await connection.reset()
    assert await connection.fetchval("show timezone") != "Asia/Kathmandu"
    assert await connection.fetchval("select count(*) from pg_locks where locktype = 'advisory' and objid = 7") == 0


async def large_values(connection):
    blob = bytes(range(256)) * (10 << 12)
    row = await connection.fetchrow("select length($1::bytea), $1::bytea", blob)
    assert tuple(row) == (len(blob), blob)


async def pooled():
    async with asyncpg.create_pool(**settings(), min_size=2, max_size=6) as pool:
        async def ask(number):
            async with pool.acquire() as connection:
                assert await connection.fetchval("show timezone") != "Asia/Kathmandu"
                async with connection.transaction():
                    assert await connection.fetchval("select $1 + 1", number) == number + 1
                await connection.execute("set timezone = 'Asia/Kathmandu'")

        await asyncio.gather(*(ask(number) for number in range(100)))


async def main():
    connection = await asyncpg.connect(**settings())
    await login_facts(connection)
    await rows_of_every_type(connection)
    await types_of_its_own(connection)
    await prepared_statements(connection)
    await errors(connection)
    await transactions(connection)
    await cursors(connection)
    await copies(connection)
    await notifications(connection)
    await cancellation(connection)
    await session_state(connection)
    await large_values(connection)
    await connection.close()
    await pooled()
    wrong = {**settings(), "password": "wrong"}
    await fails_with(asyncpg.InvalidPasswordError, asyncpg.connect(**wrong))


asyncio.run(main())
print("done")
