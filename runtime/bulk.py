"""Many rows at once: inserted, inserted where they are new, or added to counters, each in one statement."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import JSON, LargeBinary, String, Text, bindparam, cast, column, func, insert, inspect, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeDecorator, TypeEngine

from runtime.db import Base, dialect, table


def insert_new(session: Session, model: type[Base], rows: Sequence[dict[str, Any]]) -> list[Any]:
    """Insert the rows whose keys are not there yet; gives the primary keys of those that were new.

    All rows name the same columns. RETURNING tells which were new, since drivers disagree on the row count of a
    batched ON CONFLICT; sent as many parameters of one statement, SQLAlchemy batches them without compiling anew."""
    if not rows:
        return []
    return list(session.scalars(_insert_new(model, dialect(session)), list(rows)).all())


def insert_or_add(
    session: Session, model: type[Base], counter: str, amounts: Mapping[str, int], limit: int
) -> set[str]:
    """Add each key's amount to its counter where the sum stays within the limit, making rows that are not there; no
    amount may exceed the limit. Gives the keys that were added to. Rows are locked in the order of their keys."""
    if not amounts:
        return set()
    key = inspect(model).primary_key[0]
    rows = [{key.name: name, counter: amounts[name]} for name in sorted(amounts)]
    return set(session.scalars(_insert_or_add(model, counter, limit, dialect(session)), rows))


def insert_all(session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]], **same: Any) -> None:
    """Insert many rows that name the same columns; `same` are columns that have one value in all of them.

    Does what session.execute(insert(model), rows) does, at half the time: nothing is looked up anew for a row, and
    what is the same is converted once. Defaults of the model's columns are not filled in."""
    if not rows:
        return
    if dialect(session) == "postgresql":
        recorded = _recorded(model, tuple(rows[0]), tuple(same))
        session.connection().execute(recorded.statement, {"rows": recorded.written(rows), **same})
        return
    connection = session.connection()
    plan = _plan(model, (*rows[0], *same), connection.dialect)
    fixed = {name: plan.converted(name, value) for name, value in same.items()}
    odd = [(name, call) for name in rows[0] if (call := plan.converters[name])]
    ready = [{**row, **fixed, **{name: call(row[name]) for name, call in odd}} for row in rows]
    parameters: Any = ready if plan.places is None else [plan.places(row) for row in ready]
    connection.exec_driver_sql(plan.statement, parameters)


@dataclass(frozen=True)
class _Recorded:
    """An insert of PostgreSQL that takes all rows as one JSON text: planned and run once, where many
    parameters of one statement are as many runs of it."""

    statement: Any
    converters: Mapping[str, Callable[[Any], Any]]  # of the columns that are not written to JSON as they are

    def written(self, rows: Sequence[Mapping[str, Any]]) -> str:
        odd = self.converters.items()
        ready = [{**row, **{name: call(row[name]) for name, call in odd}} for row in rows]
        return msgspec.json.encode(ready if odd else rows).decode()


@lru_cache(maxsize=64)
def _recorded(model: type[Base], names: tuple[str, ...], same: tuple[str, ...]) -> _Recorded:
    columns, spoken = table(model).c, postgresql.dialect()  # type: ignore[no-untyped-call]
    types = {name: _wide(columns[name].type) for name in (*names, *same)}
    given = func.json_to_recordset(cast(bindparam("rows"), JSON)).table_valued(
        *[column(name, types[name]) for name in names]
    )
    chosen = select(
        *given.render_derived(name="given", with_types=True).c,
        *[bindparam(name, type_=types[name]) for name in same],
    )
    statement = insert(table(model)).from_select([*names, *same], chosen, include_defaults=False)
    converters = {
        name: call for name in names if (call := _into_json(types[name].dialect_impl(spoken), spoken))
    }
    return _Recorded(statement, converters)


def _into_json(of: TypeEngine[Any], spoken: Dialect) -> Callable[[Any], Any] | None:
    """What makes a value of this type one that JSON has; None where it is one."""
    if not isinstance(of, TypeDecorator):
        return None
    if isinstance(of.impl, LargeBinary):
        return lambda value: None if value is None else "\\x" + of.process_bind_param(value, spoken).hex()
    return lambda value: of.process_bind_param(value, spoken)


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
def _plan(model: type[Base], names: tuple[str, ...], spoken: Dialect) -> _Plan:
    columns = table(model).c
    compiled = insert(table(model)).inline().compile(dialect=spoken, column_keys=names)
    converters = {name: columns[name].type.dialect_impl(spoken).bind_processor(spoken) for name in names}
    return _Plan(
        str(compiled), converters, itemgetter(*compiled.positiontup) if compiled.positiontup else None
    )


@lru_cache
def _insert_new(model: type[Base], kind: str) -> Any:
    return _insert(model, kind).on_conflict_do_nothing().returning(inspect(model).primary_key[0])


@lru_cache
def _insert_or_add(model: type[Base], counter: str, limit: int, kind: str) -> Any:
    key, made = inspect(model).primary_key[0], _insert(model, kind)
    added = made.excluded[counter] + key.table.c[counter]
    counted = made.on_conflict_do_update(index_elements=[key], set_={counter: added}, where=added <= limit)
    return counted.returning(key)


def _insert(model: type[Base], kind: str) -> Any:
    return (postgresql if kind == "postgresql" else sqlite).insert(model.__table__)
