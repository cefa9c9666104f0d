"""What applications do through SQLAlchemy, with two drivers of PostgreSQL, of which one is
asynchronous; says "done" at the end."""

import asyncio
import datetime
import enum
import ssl
import uuid
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

import login


def url_of(driver):
    return sa.URL.create(
        f"postgresql+{driver}", login.USER, login.PASSWORD, login.HOST, login.PORT, login.DATABASE
    )


class Base(DeclarativeBase):
    pass


class Size(enum.Enum):
    small = "small"
    large = "large"


class Owner(Base):
    __tablename__ = "alchemy_owner"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(100), unique=True)
    things: Mapped[list["Thing"]] = relationship(back_populates="owner", cascade="all, delete-orphan")


class Thing(Base):
    __tablename__ = "alchemy_thing"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    place: Mapped[int]
    owner_id: Mapped[int] = mapped_column(sa.ForeignKey("alchemy_owner.id"))
    owner: Mapped[Owner] = relationship(back_populates="things")
    price: Mapped[Decimal] = mapped_column(sa.Numeric(12, 4))
    size: Mapped[Size]
    tags: Mapped[dict] = mapped_column(pg.JSONB)
    words: Mapped[list[str]] = mapped_column(pg.ARRAY(sa.String), default=list)
    picture: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    made: Mapped[datetime.datetime] = mapped_column(sa.DateTime(timezone=True))
    sold: Mapped[bool] = mapped_column(default=False)


MADE = datetime.datetime(2024, 2, 29, 23, 59, 59, 123456, datetime.timezone.utc)
PICTURE = bytes(range(256)) * 10


def state_of(error):
    return error.orig.sqlstate


def objects(connection):
    Base.metadata.drop_all(connection)
    Base.metadata.create_all(connection)
    connection.commit()
    with Session(connection) as session:
        owner = Owner(name="Zoë 🌊")
        for number in range(50):
            thing = Thing(place=number, price=Decimal(number) / 4, size=Size.large, tags={"ä": [number, None]}, made=MADE)
            owner.things.append(thing)
        owner.things[0].picture = PICTURE
        owner.things[0].words = ["a", "", "{}"]
        session.add(owner)
        session.commit()
    with Session(connection) as session:
        things = session.scalars(sa.select(Thing).order_by(Thing.place)).all()
        assert [thing.price for thing in things] == [Decimal(number) / 4 for number in range(50)]
        first = things[0]
        assert (first.picture, first.made, first.size, first.sold) == (PICTURE, MADE, Size.large, False)
        assert first.tags == {"ä": [0, None]} and first.words == ["a", "", "{}"] and first.owner.name == "Zoë 🌊"
        found = session.scalars(sa.select(Thing.place).where(Thing.tags["ä"][0].as_integer() == 7)).one()
        assert found == 7
        total = session.scalar(sa.select(sa.func.sum(Thing.price)))
        assert total == Decimal("306.25"), total


def transactions(connection):
    with Session(connection) as session:
        session.execute(sa.delete(Thing))
        session.rollback()
        owner = session.scalars(sa.select(Owner).with_for_update()).one()
        try:
            with session.begin_nested():
                session.add(Owner(name=owner.name))
                session.flush()
        except IntegrityError as error:
            assert state_of(error) == "23505", error
        else:
            raise AssertionError("two owners have one name")
        # What failed is rolled back to its savepoint; the transaction goes on.
        session.scalars(sa.select(Thing).where(Thing.place == 0)).one().sold = True
        session.commit()
        assert session.scalar(sa.select(sa.func.count()).select_from(Thing).where(Thing.sold)) == 1
        session.rollback()


def statements(connection):
    upsert = pg.insert(Owner).values(id=1, name="renamed")
    upsert = upsert.on_conflict_do_update(index_elements=["id"], set_={"name": upsert.excluded.name})
    assert connection.scalar(upsert.returning(Owner.name)) == "renamed"
    connection.commit()
    names = [{"name": f"number {number}"} for number in range(1000)]
    ids = connection.scalars(sa.insert(Owner).returning(Owner.id, sort_by_parameter_order=True), names).all()
    assert len(set(ids)) == 1000 and ids == sorted(ids)
    connection.rollback()
    try:
        connection.execute(sa.text("select * from alchemy_missing"))
    except DBAPIError as error:
        assert state_of(error) == "42P01", error
    else:
        raise AssertionError("a table that is not there was read")
    connection.rollback()
    for number in range(20):
        assert connection.scalar(sa.select(sa.cast(sa.literal(number), sa.Integer) + 1)) == number + 1
        connection.commit()


def isolation(connection):
    assert connection.get_isolation_level() == "SERIALIZABLE"
    assert connection.scalar(sa.text("show transaction_isolation")) == "serializable"


def at_once(connection):
    connection.execute(sa.update(Owner).values(name="at once"))
    connection.rollback()
    assert connection.scalar(sa.select(Owner.name)) == "at once"


def large_results(connection):
    series = sa.select(sa.func.generate_series(1, 5000).label("n"), sa.func.repeat("x", 200))
    rows = connection.execution_options(yield_per=500).execute(series)
    assert [len(part) for part in rows.partitions()] == [500] * 10
    connection.rollback()


def reflection(connection):
    inspector = sa.inspect(connection)
    assert {"alchemy_owner", "alchemy_thing"} <= set(inspector.get_table_names())
    [key] = inspector.get_foreign_keys("alchemy_thing")
    assert key["referred_table"] == "alchemy_owner"
    columns = {column["name"] for column in inspector.get_columns("alchemy_thing")}
    assert columns == {column.name for column in Thing.__table__.columns}
    [size] = inspector.get_enums()
    assert size["labels"] == ["small", "large"]
    connection.rollback()


STEPS = [
    (objects, {}),
    (transactions, {}),
    (statements, {}),
    (isolation, {"isolation_level": "SERIALIZABLE"}),
    (at_once, {"isolation_level": "AUTOCOMMIT"}),
    (large_results, {}),
    (reflection, {}),
]


def with_psycopg():
    tls = {"sslmode": "verify-full", "sslrootcert": login.AUTHORITY} if login.AUTHORITY else {"sslmode": "disable"}
    engine = sa.create_engine(url_of("psycopg"), pool_size=2, pool_pre_ping=True, connect_args=tls)
    for step, options in STEPS:
        with engine.connect() as connection:
            step(connection.execution_options(**options))
    # A connection that is gone is noticed and replaced.
    with engine.connect() as connection:
        pid = connection.scalar(sa.text("select pg_backend_pid()"))
        connection.invalidate()
    with engine.connect() as connection:
        assert connection.scalar(sa.text("select current_database()")) == login.DATABASE, pid
    engine.dispose()


async def with_asyncpg():
    context = ssl.create_default_context(cafile=login.AUTHORITY) if login.AUTHORITY else False
    engine = create_async_engine(url_of("asyncpg"), pool_size=4, pool_pre_ping=True, connect_args={"ssl": context})
    for step, options in STEPS:
        # Its cursors are given to those who ask for them asynchronously only.
        if step is large_results:
            continue
        async with engine.connect() as connection:
            await connection.execution_options(**options)
            await connection.run_sync(step)

    async def ask(number):
        async with engine.connect() as connection:
            value = sa.select(sa.cast(sa.literal(number), sa.Integer) + 1)
            assert await connection.scalar(value) == number + 1

    await asyncio.gather(*(ask(number) for number in range(100)))
    async with engine.connect() as connection:
        rows = await connection.stream(sa.text("select * from generate_series(1, 5000)"))
        assert len([row async for row in rows]) == 5000
    await engine.dispose()


with_psycopg()
asyncio.run(with_asyncpg())
print("done")
