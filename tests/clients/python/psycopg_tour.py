"""What applications do through psycopg 3; says "done" at the end."""

import asyncio
import logging
import threading
import time

import psycopg
from psycopg import errors, sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

import login
import pg_values as values

# It warns of the errors that are made on purpose.
logging.getLogger("psycopg").setLevel(logging.ERROR)

PLACES = ", ".join(["%s"] * 15)


def settings():
    tls = {"sslmode": "disable", "channel_binding": "prefer"}
    if login.AUTHORITY:
        tls = {"sslmode": "verify-full", "sslrootcert": login.AUTHORITY, "channel_binding": "require"}
    return {
        "host": login.HOST,
        "port": login.PORT,
        "user": login.USER,
        "password": login.PASSWORD,
        "dbname": login.DATABASE,
        "application_name": "psycopg tour",
        "connect_timeout": 30,
        **tls,
    }


def connect(**more):
    return psycopg.connect(**settings(), **more)


def fails_with(kind, run):
    try:
        run()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was not raised")


def wait_for(what, look):
    deadline = time.monotonic() + 30
    while not look():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


def login_facts(connection):
    assert connection.pgconn.ssl_in_use == bool(login.AUTHORITY)
    assert connection.info.dbname == login.DATABASE
    assert connection.info.server_version >= 150000
    status = connection.info.parameter_status
    assert status("server_encoding") == "UTF8" and status("integer_datetimes") == "on"
    assert status("application_name") == "psycopg tour"
    [row] = connection.execute("select current_user, current_setting('application_name')")
    assert row == (login.USER, "psycopg tour")
    connection.commit()


def rows_of_every_type(connection):
    connection.execute(values.TABLE.format("py"))
    insert = f"insert into py ({values.COLUMNS}) values ({PLACES})"
    with connection.cursor() as cursor:
        cursor.executemany(insert, values.ROWS)
        assert cursor.rowcount == len(values.ROWS)
    connection.commit()
    select = f"select {values.COLUMNS} from py order by id"
    for binary in (False, True):
        found = connection.execute(select, binary=binary).fetchall()
        assert found == values.ROWS, (binary, found)
        parameters = (values.ROWS[0][9], values.ROWS[0][0])
        asked = connection.execute("select id from py where name = %s and small = %s", parameters, binary=binary)
        assert asked.fetchall() == [(1,)]
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("select %s::jsonb as document", (Jsonb({"ä": [1, None, "🌊"]}),))
        assert cursor.fetchone() == {"document": {"ä": [1, None, "🌊"]}}
    connection.commit()


def several_statements(connection):
    cursor = connection.execute("select 1; select 2, 'ä'; update py set small = 1 where id = 0; select 3 where false")
    results = [(cursor.statusmessage, cursor.fetchall() if cursor.description else None)]
    while cursor.nextset():
        results.append((cursor.statusmessage, cursor.fetchall() if cursor.description else None))
    assert results == [
        ("SELECT 1", [(1,)]),
        ("SELECT 1", [(2, "ä")]),
        ("UPDATE 0", None),
        ("SELECT 0", []),
    ], results
    # Nothing at all is a statement, too.
    assert connection.execute("").statusmessage in (None, "")
    connection.commit()


def failures(connection):
    for kind, state, statement in [
        (errors.SyntaxError, "42601", "selec 1"),
        (errors.UndefinedTable, "42P01", "select * from missing_table"),
        (errors.UniqueViolation, "23505", "insert into py (id) values (1)"),
        (errors.DivisionByZero, "22012", "select 1 / (small - small) from py where id = 1"),
    ]:
        error = fails_with(kind, lambda: connection.execute(statement))
        assert error.sqlstate == state and error.diag.severity_nonlocalized == "ERROR", error
        fails_with(errors.InFailedSqlTransaction, lambda: connection.execute("select 1"))
        connection.rollback()
        fails_with(kind, lambda: connection.execute(statement, (), prepare=True))
        connection.rollback()
    assert connection.execute("select 1").fetchone() == (1,)
    connection.commit()


def transactions(connection):
    connection.execute("delete from py")
    connection.rollback()
    with connection.transaction():
        connection.execute("update py set small = 5 where id = 1")
        try:
            with connection.transaction():
                connection.execute("delete from py")
                raise psycopg.Rollback
        except psycopg.Rollback:
            pass
    assert connection.execute("select count(*) from py where small = 5").fetchone() == (1,)
    connection.commit()
    connection.set_read_only(True)
    connection.set_isolation_level(psycopg.IsolationLevel.SERIALIZABLE)
    assert connection.execute("show transaction_isolation").fetchone() == ("serializable",)
    fails_with(errors.ReadOnlySqlTransaction, lambda: connection.execute("delete from py"))
    connection.rollback()
    connection.set_read_only(None)
    connection.set_isolation_level(None)


def two_phases(connection):
    name = connection.xid(7, login.DATABASE, "branch")
    connection.tpc_begin(name)
    connection.execute("update py set small = 6 where id = 1")
    connection.tpc_prepare()
    connection.tpc_commit()
    assert connection.execute("select small from py where id = 1").fetchone() == (6,)
    connection.commit()


def prepared_statements(connection):
    connection.prepare_threshold = 1
    for number in range(12):
        found = connection.execute("select %s + 1, %s", (number, "x" * number)).fetchone()
        assert found == (number + 1, "x" * number)
        # Each in a transaction of its own.
        connection.commit()
    # More than it keeps: the first are closed.
    for number in range(130):
        statement = sql.SQL("select {} + %s").format(sql.Literal(number))
        for _ in range(2):
            assert connection.execute(statement, (1,), prepare=True).fetchone() == (number + 1,)
        connection.commit()
    connection.execute("prepare mine (int) as select $1 * 2")
    assert connection.execute("execute mine(21)").fetchone() == (42,)
    connection.commit()
    assert connection.execute("execute mine(4)").fetchone() == (8,)
    connection.execute("deallocate mine")
    fails_with(errors.InvalidSqlStatementName, lambda: connection.execute("execute mine(4)"))
    connection.rollback()
    connection.prepare_threshold = 5


def pipelines(connection):
    with connection.pipeline() as pipeline:
        cursors = [connection.execute("select %s::int", (number,)) for number in range(300)]
        pipeline.sync()
        more = [connection.execute("select %s::int", (number,)) for number in range(300)]
    assert [cursor.fetchone()[0] for cursor in cursors + more] == list(range(300)) * 2
    connection.commit()
    cursors = []

    def stumble():
        with connection.pipeline():
            for divisor in (1, 0, 1):
                cursors.append(connection.execute("select 7 / %s", (divisor,)))

    fails_with(errors.DivisionByZero, stumble)
    assert cursors[0].fetchone() == (7,)
    for cursor in cursors[1:]:
        fails_with(psycopg.Error, cursor.fetchone)
    connection.rollback()
    assert connection.execute("select 9").fetchone() == (9,)
    connection.commit()


def cursors(connection):
    with connection.cursor(name="forward") as cursor:
        cursor.itersize = 300
        cursor.execute("select n, repeat('x', 100) from generate_series(1, 5000) n")
        assert sum(number for number, _ in cursor) == 5000 * 5001 // 2
    with connection.cursor(name="back", scrollable=True) as cursor:
        cursor.execute("select * from generate_series(1, 100)")
        cursor.scroll(50)
        assert cursor.fetchone() == (51,)
        cursor.scroll(0, mode="absolute")
        assert cursor.fetchmany(2) == [(1,), (2,)]
    connection.commit()
    with connection.cursor(name="beyond", withhold=True) as cursor:
        cursor.execute("select * from generate_series(1, 100)")
        assert cursor.fetchone() == (1,)
        connection.commit()
        assert cursor.fetchmany(3) == [(2,), (3,), (4,)]
    connection.commit()
    rows = connection.cursor().stream("select * from generate_series(1, 2000)")
    assert sum(number for (number,) in rows) == 2000 * 2001 // 2
    # A stream that is given up is cancelled.
    for _ in connection.cursor().stream("select generate_series(1, 100000000)"):
        break
    connection.rollback()
    assert connection.execute("select 1").fetchone() == (1,)
    connection.commit()


def copies(connection):
    connection.execute("create table copied (n bigint, data text)")
    connection.commit()
    rows = [(number, "tab\there, line\nhere, \\ and ä" if number % 3 else None) for number in range(20000)]
    with connection.cursor() as cursor:
        with cursor.copy("copy copied from stdin") as copy:
            for row in rows:
                copy.write_row(row)
        assert cursor.rowcount == len(rows)
        with cursor.copy("copy copied to stdout") as copy:
            copy.set_types(["int8", "text"])
            assert sorted(copy.rows(), key=lambda row: row[0]) == rows
        with cursor.copy("copy copied from stdin (format binary)") as copy:
            copy.set_types(["int8", "text"])
            for row in rows:
                copy.write_row(row)
        with cursor.copy("copy (select * from copied order by n) to stdout (format binary)") as copy:
            assert sum(len(block) for block in copy) > 20000 * 2 * 20
    connection.commit()

    def give_up():
        with connection.cursor().copy("copy copied from stdin") as copy:
            copy.write_row(rows[0])
            raise KeyError

    fails_with(KeyError, give_up)
    connection.rollback()

    def send_nonsense():
        with connection.cursor().copy("copy copied from stdin") as copy:
            for _ in range(1000):
                copy.write(b"no number\tx\n")

    fails_with(errors.InvalidTextRepresentation, send_nonsense)
    connection.rollback()

    def leave_early():
        with connection.cursor().copy("copy copied to stdout") as copy:
            assert copy.read()
            raise KeyError

    fails_with(KeyError, leave_early)
    connection.rollback()
    assert connection.execute("select count(*) from copied").fetchone() == (40000,)
    connection.commit()


def notifications(connection):
    listener, notified = connect(autocommit=True), []
    listener.execute("listen tour")
    listener.execute('listen "Ünï"')
    connection.execute("notify tour, 'first'")
    connection.execute("select pg_notify('Ünï', %s)", ("x" * 7000,))
    connection.commit()
    # They come without a question.
    for notice in listener.notifies(timeout=30, stop_after=2):
        notified.append((notice.channel, notice.payload))
    assert notified == [("tour", "first"), ("Ünï", "x" * 7000)], notified
    listener.execute("unlisten *")
    connection.execute("notify tour, 'nobody hears'")
    connection.commit()
    assert list(listener.notifies(timeout=0.1)) == []
    listener.execute("listen tour")
    listener.execute("notify tour, 'itself'")
    assert [notice.payload for notice in listener.notifies(timeout=30, stop_after=1)] == ["itself"]
    listener.close()


def notices(connection):
    heard = []
    connection.add_notice_handler(lambda diagnostic: heard.append((diagnostic.severity, diagnostic.message_primary)))
    connection.execute("do $$ begin raise notice 'hello %', 7; raise warning 'careful'; end $$")
    assert heard == [("NOTICE", "hello 7"), ("WARNING", "careful")], heard
    connection.commit()


def cancellation(connection):
    other = connect(autocommit=True)
    for cancel in (connection.cancel, connection.cancel_safe):
        marker = f"select pg_sleep(61) /* {cancel.__name__} {login.DATABASE} */"
        failed = []

        def sleep():
            failed.append(fails_with(errors.QueryCanceled, lambda: connection.execute(marker)))

        thread = threading.Thread(target=sleep)
        thread.start()
        busy = "/* tidegate: route=primary */ select count(*) from pg_stat_activity " \
            "where starts_with(query, %s) and state = 'active'"
        wait_for("a statement to cancel", lambda: other.execute(busy, (marker,)).fetchone() == (1,))
        cancel()
        thread.join(30)
        assert len(failed) == 1, "the statement was not cancelled"
        connection.rollback()
    assert connection.execute("select 1").fetchone() == (1,)
    connection.commit()
    other.close()


def session_state(connection):
    connection.autocommit = True
    connection.execute("set timezone = 'Asia/Kathmandu'")
    assert connection.info.parameter_status("TimeZone") == "Asia/Kathmandu"
    connection.execute("set search_path = pg_catalog, public")
    connection.execute("select set_config('my.own', 'seven', false)")
    connection.execute("create temporary table mine (a int)")
    connection.execute("insert into mine values (7)")
    for _ in range(3):
        found = connection.execute("select a, current_setting('my.own') from mine").fetchone()
        assert found == (7, "seven")
        assert connection.execute("show search_path").fetchone() == ("pg_catalog, public",)
        assert connection.execute("show timezone").fetchone() == ("Asia/Kathmandu",)
    with connection.transaction():
        connection.execute("set local work_mem = '7MB'")
        assert connection.execute("show work_mem").fetchone() == ("7MB",)
    assert connection.execute("show work_mem").fetchone() != ("7MB",)
    connection.execute("select pg_advisory_lock(7)")
    assert connection.execute("select pg_advisory_unlock(7)").fetchone() == (True,)
    connection.execute("discard all")
    assert connection.info.parameter_status("TimeZone") != "Asia/Kathmandu"
    fails_with(errors.UndefinedTable, lambda: connection.execute("select * from mine"))
    assert connection.execute("select current_setting('my.own', true)").fetchone()[0] in (None, "")
    connection.autocommit = False


def large_values(connection):
    blob = bytes(range(256)) * (10 << 12)
    found = connection.execute("select length(%s), %s", (blob, blob), binary=True).fetchone()
    assert found == (len(blob), blob)
    connection.commit()


def start_options():
    with connect(options="-c work_mem=9MB -c my.start=yes") as connection:
        found = connection.execute("select current_setting('work_mem'), current_setting('my.start')")
        assert found.fetchone() == ("9MB", "yes")


def refused_logins():
    for change in ({"password": "wrong"}, {"user": "nobody_has_this_name"}, {"dbname": "no_such_database"}):
        try:
            psycopg.connect(**{**settings(), **change}).close()
        except psycopg.OperationalError as error:
            assert "FATAL" in str(error), error
        else:
            raise AssertionError(f"{change} was let in")


async def asynchronously():
    connections = [await psycopg.AsyncConnection.connect(**settings(), autocommit=True) for _ in range(8)]

    async def ask(number):
        connection = connections[number % len(connections)]
        cursor = await connection.execute("select %s + 1, pg_backend_pid()", (number,))
        assert (await cursor.fetchone())[0] == number + 1

    await asyncio.gather(*(ask(number) for number in range(200)))
    first, second = connections[:2]
    await first.execute("listen later")
    await second.execute("notify later, 'async'")
    async for notice in first.notifies(timeout=30, stop_after=1):
        assert notice.payload == "async"
    # A task that is cancelled cancels its statement.
    try:
        await asyncio.wait_for(first.execute("select pg_sleep(61)"), 0.3)
    except TimeoutError:
        pass
    else:
        raise AssertionError("it does not sleep")
    await first.execute("select 1")
    async with first.cursor() as cursor:
        async with cursor.copy("copy (select * from generate_series(1, 1000)) to stdout") as copy:
            assert len([row async for row in copy.rows()]) == 1000
    for connection in connections:
        await connection.close()


with connect() as connection:
    login_facts(connection)
    rows_of_every_type(connection)
    several_statements(connection)
    failures(connection)
    transactions(connection)
    two_phases(connection)
    prepared_statements(connection)
    pipelines(connection)
    cursors(connection)
    copies(connection)
    notifications(connection)
    notices(connection)
    cancellation(connection)
    session_state(connection)
    large_values(connection)
start_options()
refused_logins()
asyncio.run(asynchronously())
print("done")
