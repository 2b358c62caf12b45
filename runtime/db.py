"""The database: engine, sessions, column types. The one file that knows which SQL dialect it is on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any, cast

import msgspec
from sqlalchemy import (
    ARRAY,
    Connection,
    DateTime,
    Engine,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    create_engine,
    event,
    func,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator, TypeEngine

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
    if _dialect(session) == "postgresql":
        session.execute(text("SET LOCAL statement_timeout = 600000"))


def deadlocked(error: OperationalError) -> bool:
    """Did the database end this transaction to let another one go on?"""
    return getattr(error.orig, "sqlstate", None) in {"40P01", "40001"}


def insert_new(session: Session, model: type[Base], rows: Sequence[dict[str, Any]]) -> list[Any]:
    """Insert the rows whose keys are not there yet; gives the primary keys of those that were new.

    All rows name the same columns. RETURNING tells which were new, since drivers disagree on the row count of a
    batched ON CONFLICT; sent as many parameters of one statement, SQLAlchemy batches them without compiling anew."""
    if not rows:
        return []
    return list(session.scalars(_insert_new(model, _dialect(session)), list(rows)).all())


def insert_or_add(
    session: Session, model: type[Base], column: str, amounts: Mapping[str, int], limit: int
) -> set[str]:
    """Add each key's amount to its counter where the sum stays within the limit, making rows that are not there; no
    amount may exceed the limit. Gives the keys that were added to. Rows are locked in the order of their keys."""
    if not amounts:
        return set()
    key = inspect(model).primary_key[0]
    rows = [{key.name: name, column: amounts[name]} for name in sorted(amounts)]
    return set(session.scalars(_insert_or_add(model, column, limit, _dialect(session)), rows))


def insert_all(session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]], **same: Any) -> None:
    """Insert many rows that name the same columns; `same` are columns that have one value in all of them.

    Does what session.execute(insert(model), rows) does, at half the time: nothing is looked up anew for a row, and
    what is the same is converted once. Defaults of the model's columns are not filled in."""
    if not rows:
        return
    if _dialect(session) == "postgresql":
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        session.connection().execute(_unnested(model, tuple(columns), tuple(same)), columns | same)
        return
    connection = session.connection()
    plan = _plan(model, (*rows[0], *same), connection.dialect)
    fixed = {name: plan.converted(name, value) for name, value in same.items()}
    odd = [(name, call) for name in rows[0] if (call := plan.converters[name])]
    ready = [{**row, **fixed, **{name: call(row[name]) for name, call in odd}} for row in rows]
    parameters: Any = ready if plan.places is None else [plan.places(row) for row in ready]
    connection.exec_driver_sql(plan.statement, parameters)


@lru_cache(maxsize=64)
def _unnested(model: type[Base], names: tuple[str, ...], same: tuple[str, ...]) -> Any:
    """An insert of PostgreSQL that takes a list for each of the names and one value for each of `same`: it is planned
    and run once, where many parameters of one statement are as many runs of it."""
    columns = table(model).c
    lists = [bindparam(name, type_=ARRAY(_wide(columns[name].type))) for name in names]
    given = func.unnest(*lists).table_valued(*names).render_derived(name="given")
    once = [bindparam(name, type_=_wide(columns[name].type)) for name in same]
    return insert(table(model)).from_select([*names, *same], select(*given.c, *once), include_defaults=False)


def _wide(of: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type without a length: a cast to one would cut off what is too long instead of refusing it."""
    return Text() if isinstance(of, String) else of


@dataclass(frozen=True)
class _Plan:
    """An insert as the driver wants it. `places` gives a row's values in the order of its placeholders, where those
    have no names."""

    statement: str
    converters: Mapping[str, Callable[[Any], Any] | None]
    places: Callable[[dict[str, Any]], tuple[Any, ...]] | None

    def converted(self, name: str, value: Any) -> Any:
        call = self.converters[name]
        return call(value) if call else value


@lru_cache(maxsize=64)
def _plan(model: type[Base], names: tuple[str, ...], dialect: Dialect) -> _Plan:
    columns = table(model).c
    compiled = insert(table(model)).inline().compile(dialect=dialect, column_keys=names)
    converters = {name: columns[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names}
    return _Plan(
        str(compiled), converters, itemgetter(*compiled.positiontup) if compiled.positiontup else None
    )


def table(model: type[Base]) -> Table:
    """The model's table, for statements without objects: they are built once and cost a third."""
    return cast(Table, model.__table__)


@lru_cache
def _insert_new(model: type[Base], dialect: str) -> Any:
    return _insert(model, dialect).on_conflict_do_nothing().returning(inspect(model).primary_key[0])


@lru_cache
def _insert_or_add(model: type[Base], column: str, limit: int, dialect: str) -> Any:
    key, made = inspect(model).primary_key[0], _insert(model, dialect)
    added = made.excluded[column] + key.table.c[column]
    counted = made.on_conflict_do_update(index_elements=[key], set_={column: added}, where=added <= limit)
    return counted.returning(key)


def _insert(model: type[Base], dialect: str) -> Any:
    return (postgresql if dialect == "postgresql" else sqlite).insert(model.__table__)


def _dialect(session: Session) -> str:
    return session.get_bind().dialect.name
