"""Many rows at once: inserted, inserted where they are new, or added to counters, each in one statement."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
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
    batched ON CONFLICT."""
    if not rows:
        return []
    if dialect(session) == "postgresql":
        recorded = _recorded_new(model, tuple(rows[0]))
        return list(session.scalars(recorded.statement, recorded.written(rows)))
    made = sqlite.insert(table(model)).on_conflict_do_nothing()
    return list(session.scalars(made.returning(*inspect(model).primary_key[:1]), list(rows)))


def insert_or_add(
    session: Session, model: type[Base], counter: str, amounts: Mapping[str, int], limit: int
) -> set[str]:
    """Add each key's amount to its counter where the sum stays within the limit, making rows that are not there; no
    amount may exceed the limit. Gives the keys that were added to. Rows are locked in the order of their keys."""
    if not amounts:
        return set()
    key = inspect(model).primary_key[0]
    rows = [{key.name: name, counter: amounts[name]} for name in sorted(amounts)]
    if dialect(session) == "postgresql":
        recorded = _recorded_sum(model, (key.name, counter), limit)
        return set(session.scalars(recorded.statement, recorded.written(rows)))
    return set(session.scalars(_adding(sqlite.insert(table(model)), key, counter, limit), rows))


def insert_all(session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]], **same: Any) -> None:
    """Insert many rows that name the same columns; `same` are columns that have one value in all of them.

    Does what session.execute(insert(model), rows) does, at half the time: nothing is looked up anew for a row, and
    what is the same is converted once. Defaults of the model's columns are not filled in."""
    if not rows:
        return
    if dialect(session) == "postgresql":
        recorded = _recorded(model, tuple(rows[0]), tuple(same))
        session.connection().execute(recorded.statement, recorded.written(rows) | same)
        return
    connection = session.connection()
    plan = _plan(model, (*rows[0], *same), connection.dialect)
    fixed = {name: plan.converted(name, value) for name, value in same.items()}
    odd = [(name, call) for name in rows[0] if (call := plan.converters[name])]
    ready = ({**row, **fixed, **{name: call(row[name]) for name, call in odd}} for row in rows)
    connection.exec_driver_sql(plan.statement, [plan.places(row) for row in ready])


@dataclass(frozen=True)
class _Recorded:
    """An insert of PostgreSQL that takes all rows as one JSON text: planned and run once, where many
    parameters of one statement are as many runs of it."""

    statement: Any
    converters: Mapping[str, Callable[[Any], Any]]  # of the columns that are not written to JSON as they are

    def written(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The statement's parameter."""
        odd = self.converters.items()
        ready = [{**row, **{name: call(row[name]) for name, call in odd}} for row in rows] if odd else rows
        return {"rows": msgspec.json.encode(ready).decode()}


@lru_cache(maxsize=64)
def _recorded(model: type[Base], names: tuple[str, ...], same: tuple[str, ...] | None = None) -> _Recorded:
    """With `same` nothing but what is named is filled in, without it the defaults of the model's columns too."""
    columns, spoken = table(model).c, postgresql.dialect()  # type: ignore[no-untyped-call]
    types = {name: _wide(columns[name].type) for name in (*names, *(same or ()))}
    given = func.json_to_recordset(cast(bindparam("rows"), JSON)).table_valued(
        *[column(name, types[name]) for name in names]
    )
    chosen = select(
        *given.render_derived(name="given", with_types=True).c,
        *[bindparam(name, type_=types[name]) for name in same or ()],
    )
    statement = postgresql.insert(table(model)).from_select(
        [*names, *(same or ())], chosen, include_defaults=same is None
    )
    converters = {
        name: call for name in names if (call := _into_json(types[name].dialect_impl(spoken), spoken))
    }
    return _Recorded(statement, converters)


@lru_cache(maxsize=64)
def _recorded_new(model: type[Base], names: tuple[str, ...]) -> _Recorded:
    recorded = _recorded(model, names)
    made = recorded.statement.on_conflict_do_nothing().returning(inspect(model).primary_key[0])
    return replace(recorded, statement=made)


@lru_cache(maxsize=64)
def _recorded_sum(model: type[Base], names: tuple[str, str], limit: int) -> _Recorded:
    recorded = _recorded(model, names)
    return replace(recorded, statement=_adding(recorded.statement, table(model).c[names[0]], names[1], limit))


def _adding(made: Any, key: Any, counter: str, limit: int) -> Any:
    added = made.excluded[counter] + key.table.c[counter]
    counted = made.on_conflict_do_update(index_elements=[key], set_={counter: added}, where=added <= limit)
    return counted.returning(key)


def _into_json(of: TypeEngine[Any], spoken: Dialect) -> Callable[[Any], Any] | None:
    """What makes a value of this type one that JSON has; None where it is one."""
    bound = of.process_bind_param if isinstance(of, TypeDecorator) else None
    if not isinstance(of.impl if isinstance(of, TypeDecorator) else of, LargeBinary):
        return None if bound is None else lambda value: bound(value, spoken)

    def hexadecimal(value: Any) -> str | None:
        stored = value if bound is None else bound(value, spoken)
        return None if stored is None else "\\x" + stored.hex()

    return hexadecimal


def _wide(of: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type without a length: a cast to one would cut off what is too long instead of refusing it."""
    return Text() if isinstance(of, String) else of


@dataclass(frozen=True)
class _Plan:
    """An insert as SQLite's driver wants it. `places` gives a row's values in the order of its placeholders."""

    statement: str
    converters: Mapping[str, Callable[[Any], Any] | None]
    places: Callable[[dict[str, Any]], tuple[Any, ...]]

    def converted(self, name: str, value: Any) -> Any:
        call = self.converters[name]
        return call(value) if call else value


@lru_cache(maxsize=64)
def _plan(model: type[Base], names: tuple[str, ...], spoken: Dialect) -> _Plan:
    columns = table(model).c
    compiled = insert(table(model)).inline().compile(dialect=spoken, column_keys=names)
    converters = {name: columns[name].type.dialect_impl(spoken).bind_processor(spoken) for name in names}
    order = compiled.positiontup or []
    return _Plan(str(compiled), converters, lambda row: tuple(row[name] for name in order))
