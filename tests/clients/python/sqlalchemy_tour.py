"""What applications do through SQLAlchemy, with each driver that it has; says "done" at the end."""

import datetime
import enum
import ssl
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

import login


def tls_of(driver):
    if driver == "pymysql":
        return {"ssl": ssl.create_default_context(cafile=login.AUTHORITY)}
    if driver == "mysqldb":
        return {"ssl_mode": "VERIFY_IDENTITY", "ssl": {"ca": login.AUTHORITY}}
    return {"ssl_ca": login.AUTHORITY, "ssl_verify_identity": True}


def engine_of(driver):
    url = sa.URL.create(
        f"mysql+{driver}",
        login.USER,
        login.PASSWORD,
        login.HOST,
        login.PORT,
        login.DATABASE,
        {"charset": "utf8mb4"},
    )
    arguments = tls_of(driver) if login.AUTHORITY else {}
    if login.COMPRESS and driver == "mysqldb":
        arguments["compress"] = True
    return sa.create_engine(url, pool_size=2, pool_pre_ping=True, connect_args=arguments)


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
    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(sa.ForeignKey("alchemy_owner.id"))
    owner: Mapped[Owner] = relationship(back_populates="things")
    price: Mapped[Decimal] = mapped_column(sa.Numeric(12, 4))
    size: Mapped[Size]
    tags: Mapped[dict] = mapped_column(sa.JSON)
    picture: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    made: Mapped[datetime.datetime] = mapped_column(mysql.DATETIME(fsp=6))
    sold: Mapped[bool] = mapped_column(default=False)


MADE = datetime.datetime(2024, 2, 29, 23, 59, 59, 123456)
PICTURE = bytes(range(256)) * 10


def objects(engine):
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        owner = Owner(name="Zoë 🌊")
        for number in range(50):
            thing = Thing(price=Decimal(number) / 4, size=Size.large, tags={"ä": [number, None]}, made=MADE)
            owner.things.append(thing)
        owner.things[0].picture = PICTURE
        session.add(owner)
        session.commit()
    with Session(engine) as session:
        things = session.scalars(sa.select(Thing).order_by(Thing.id)).all()
        assert [thing.price for thing in things] == [Decimal(number) / 4 for number in range(50)]
        first = things[0]
        assert (first.picture, first.made, first.size, first.sold) == (PICTURE, MADE, Size.large, False)
        assert first.tags == {"ä": [0, None]} and first.owner.name == "Zoë 🌊"
        total = session.scalar(sa.select(sa.func.sum(Thing.price)))
        assert total == Decimal("306.25"), total


def transactions(engine):
    with Session(engine) as session:
        session.execute(sa.delete(Thing))
        session.rollback()
        owner = session.scalars(sa.select(Owner).with_for_update()).one()
        try:
            with session.begin_nested():
                session.add(Owner(name=owner.name))
                session.flush()
        except IntegrityError as error:
            assert error.orig.args[0] == 1062, error
        else:
            raise AssertionError("two owners have one name")
        # What failed is rolled back to its savepoint; the transaction goes on.
        owner.things[0].sold = True
        session.commit()
        assert session.scalar(sa.select(sa.func.count()).select_from(Thing).where(Thing.sold)) == 1


def statements(engine):
    with engine.connect() as connection:
        upsert = mysql.insert(Owner).values(id=1, name="renamed")
        connection.execute(upsert.on_duplicate_key_update(name=upsert.inserted.name))
        connection.commit()
        assert connection.scalar(sa.select(Owner.name)) == "renamed"
    with engine.connect().execution_options(isolation_level="SERIALIZABLE") as connection:
        assert connection.get_isolation_level() == "SERIALIZABLE"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.update(Owner).values(name="at once"))
    with engine.connect() as connection:
        assert connection.get_isolation_level() == engine.dialect.default_isolation_level
        assert connection.scalar(sa.select(Owner.name)) == "at once"
        try:
            connection.execute(sa.text("select * from alchemy_missing"))
        except (OperationalError, sa.exc.ProgrammingError) as error:
            assert error.orig.args[0] == 1146, error
        else:
            raise AssertionError("a table that is not there was read")


def large_results(engine):
    numbers = sa.Table("alchemy_numbers", sa.MetaData(), sa.Column("n", sa.Integer, primary_key=True))
    numbers.drop(engine, checkfirst=True)
    numbers.create(engine)
    with engine.begin() as connection:
        connection.execute(sa.insert(numbers), [{"n": number} for number in range(1, 5001)])
    with engine.connect().execution_options(yield_per=500) as connection:
        rows = connection.execute(sa.select(numbers.c.n).order_by(numbers.c.n))
        assert [len(part) for part in rows.partitions()] == [500] * 10


def reflection(engine):
    inspector = sa.inspect(engine)
    assert {"alchemy_owner", "alchemy_thing"} <= set(inspector.get_table_names())
    [key] = inspector.get_foreign_keys("alchemy_thing")
    assert key["referred_table"] == "alchemy_owner"
    columns = {column["name"] for column in inspector.get_columns("alchemy_thing")}
    assert columns == {column.name for column in Thing.__table__.columns}


def reconnection(engine):
    with engine.connect() as connection:
        connection.execute(sa.text("set @mine = 7"))
        connection.invalidate()
        connection.rollback()
        assert connection.scalar(sa.text("select @mine")) is None
    engine.dispose()
    with engine.connect() as connection:
        assert connection.scalar(sa.text("select database()")) == login.DATABASE


for driver in ("pymysql", "mysqldb", "mysqlconnector"):
    engine = engine_of(driver)
    objects(engine)
    transactions(engine)
    statements(engine)
    large_results(engine)
    reflection(engine)
    reconnection(engine)
    engine.dispose()
print("done")
