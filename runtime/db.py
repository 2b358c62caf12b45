"""The database: engine, sessions, column types. It and bulk.py alone know which SQL dialect they are on."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import msgspec
from sqlalchemy import (
    Connection,
    DateTime,
    Engine,
    LargeBinary,
    MetaData,
    Table,
    Text,
    bindparam,
    create_engine,
    event,
    text,
)
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

from runtime.crypto import seal, unseal
from runtime.settings import settings


class Base(DeclarativeBase):
    """All tables. Names of constraints are fixed, so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in Python; TIMESTAMPTZ on PostgreSQL, naive UTC on SQLite. A naive value is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class SealedText(TypeDecorator[str]):
    """Text encrypted at rest; `place` is table.column and is authenticated with it."""

    impl = LargeBinary
    cache_ok = True

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place = place

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        return None if value is None else seal(value.encode(), self.place)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        return None if value is None else unseal(bytes(value), self.place).decode()


@lru_cache(maxsize=1)
def engine() -> Engine:
    """The engine of this process."""
    url = make_url(settings().database_url)
    if url.get_backend_name() == "sqlite":
        if url.database:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        made = create_engine(
            url, connect_args={"timeout": 15}, pool_size=20, max_overflow=40, hide_parameters=True,
            json_serializer=_json,
        )  # fmt: skip
        event.listen(made, "connect", _open_sqlite)
        event.listen(made, "begin", _begin_sqlite)
        return made
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    options = "-c statement_timeout=15000 -c lock_timeout=5000 -c timezone=UTC"
    return create_engine(
        url,
        pool_size=20,
        max_overflow=20,
        pool_pre_ping=True,
        hide_parameters=True,  # an error must not carry what people typed into the log
        connect_args={"options": options},
        json_serializer=_json,
    )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def dispose() -> None:
    """Close all connections and forget the engine."""
    if engine.cache_info().currsize:
        engine().dispose()
        engine.cache_clear()
        _writes.cache_clear()


def _open_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, see _begin_sqlite
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=15000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes the lock at BEGIN: a reader that turns writer later could only fail with SQLITE_BUSY."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def reading() -> Iterator[Session]:
    """A session that only reads; whatever it changed is rolled back."""
    with Session(engine(), expire_on_commit=False) as session:
        yield session


@contextmanager
def writing() -> Iterator[Session]:
    """A session that commits at the end of the block, or rolls back on an exception."""
    with Session(_writes(), expire_on_commit=False) as session, session.begin():
        yield session


@lru_cache(maxsize=1)
def _writes() -> Engine:
    return engine().execution_options(writes=True)


def patient(session: Session) -> None:
    """Let the statements of this transaction take minutes: for rare work on very many rows."""
    if dialect(session) == "postgresql":
        session.execute(text("SET LOCAL statement_timeout = 600000"))


def analyse() -> None:
    """Tell PostgreSQL at once how its tables have grown; by itself it notices within a minute, and until then looks
    through all of what was filled in bulk."""
    with writing() as session:
        if dialect(session) == "postgresql":
            session.execute(text("ANALYZE"))


def deadlocked(error: OperationalError) -> bool:
    """Did the database end this transaction to let another one go on?"""
    return getattr(error.orig, "sqlstate", None) in {"40P01", "40001"}


def among(of: Any, name: str) -> "_Among":
    """Is the column one of the texts given as `name`, in statements that are built once.

    They are given as one parameter, so the statement is the same for one and for a thousand; written out one by one,
    making the statement costs more than the rest of the question."""
    return _Among(of, bindparam(name, type_=_Texts()))


class _Texts(TypeDecorator[Any]):
    """Texts as a JSON list."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        return _json(list(value))


class _Among(FunctionElement[Any]):
    """Of no type: of a Boolean one SQLite would be asked whether it is 1, and would go through the whole table."""

    name = "among"
    inherit_cache = True


@compiles(_Among)
def _among(element: _Among, compiler: SQLCompiler, **given: Any) -> str:
    of, texts = (compiler.process(each, **given) for each in element.clauses)
    return f"{of} IN (SELECT value FROM json_each({texts}))"  # noqa: S608  two parts that the compiler wrote


@compiles(_Among, "postgresql")
def _among_postgresql(element: _Among, compiler: SQLCompiler, **given: Any) -> str:
    of, texts = (compiler.process(each, **given) for each in element.clauses)
    return f"{of} = ANY (ARRAY(SELECT json_array_elements_text(CAST({texts} AS JSON))))"


def table(model: type[Base]) -> Table:
    """The model's table, for statements without objects: they are built once and cost a third."""
    return cast(Table, model.__table__)


def dialect(session: Session) -> str:
    """Its name: postgresql or sqlite."""
    return session.get_bind().dialect.name
