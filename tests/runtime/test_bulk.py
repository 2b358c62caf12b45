"""Many rows at once: what goes in comes out, whatever it is, on either database."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from sqlalchemy import JSON, LargeBinary, String, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from runtime.bulk import insert_all, insert_new, insert_or_add
from runtime.db import Base, SealedText, UtcDateTime, among, dialect, engine, reading, writing

AT = datetime(2014, 3, 5, 12, 30, 0, 123456, UTC)
NAMES = ["plain", "汉字", 'a"b', "a\\b", "{a,b}", "a\nb", "'", " ", "x" * 20]


class _Own(DeclarativeBase):
    pass


class _Odd(_Own):
    __tablename__ = "odd_rows"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    sealed: Mapped[str | None] = mapped_column(SealedText("odd_rows.sealed"))
    raw: Mapped[bytes | None] = mapped_column(LargeBinary)
    told: Mapped[Any] = mapped_column(JSON, nullable=True)
    at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    count: Mapped[int] = mapped_column(default=7)
    live: Mapped[bool] = mapped_column(default=True)


ODD = cast(type[Base], _Odd)


@pytest.fixture(autouse=True)
def _odd_rows() -> Iterator[None]:
    _Own.metadata.drop_all(engine())
    _Own.metadata.create_all(engine())
    yield
    _Own.metadata.drop_all(engine())


def _row(nth: int, name: str) -> dict[str, Any]:
    return {
        "name": name, "sealed": None if nth % 3 == 0 else name, "raw": None if nth % 3 == 1 else bytes(range(nth)),
        "told": {"name": name, "list": [nth, None, "é"]}, "at": None if nth % 2 else AT,
    }  # fmt: skip


def _there() -> dict[str, tuple[Any, ...]]:
    with reading() as session:
        found = session.scalars(select(_Odd)).all()
        return {one.name: (one.sealed, one.raw, one.told, one.at, one.count, one.live) for one in found}


def _expected(rows: list[dict[str, Any]], count: int, live: bool) -> dict[str, tuple[Any, ...]]:
    return {row["name"]: (row["sealed"], row["raw"], row["told"], row["at"], count, live) for row in rows}


def test_rows_come_out_as_they_went_in() -> None:
    rows = [_row(nth, name) for nth, name in enumerate(NAMES)]
    with writing() as session:
        insert_all(session, ODD, rows, count=3, live=False)
    assert _there() == _expected(rows, 3, False)


def test_new_rows_get_the_defaults_and_known_ones_stay() -> None:
    rows = [_row(nth, name) for nth, name in enumerate(NAMES)]
    with writing() as session:
        assert set(insert_new(session, ODD, rows[:4])) == set(NAMES[:4])
        changed = [row | {"told": "changed"} for row in rows[:4]]
        assert set(insert_new(session, ODD, [*changed, *rows[4:]])) == set(NAMES[4:])
        assert insert_new(session, ODD, []) == []
    assert _there() == _expected(rows, 7, True)


def test_a_text_that_is_too_long_is_refused_not_cut() -> None:
    with writing() as session:
        if dialect(session) == "sqlite":
            insert_all(session, ODD, [_row(1, "y" * 21)], count=1, live=True)  # SQLite's texts have no length
            return
    with pytest.raises(DBAPIError), writing() as session:
        insert_all(session, ODD, [_row(1, "y" * 21)], count=1, live=True)
    assert _there() == {}


def test_counters_stay_within_their_limit() -> None:
    rows = [_row(nth, name) for nth, name in enumerate(NAMES)]
    with writing() as session:
        insert_all(session, ODD, rows, count=3, live=True)
    with writing() as session:
        asked = {NAMES[0]: 1, NAMES[1]: 2, NAMES[2]: 3}
        assert insert_or_add(session, ODD, "count", asked, 5) == set(NAMES[:2])
    counts = {name: found[4] for name, found in _there().items()}
    assert counts == dict.fromkeys(NAMES, 3) | {NAMES[0]: 4, NAMES[1]: 5}


def test_a_column_is_among_texts_of_any_kind() -> None:
    rows = [_row(nth, name) for nth, name in enumerate(NAMES)]
    with writing() as session:
        insert_all(session, ODD, rows, count=1, live=True)
    statement = select(_Odd.name).where(among(_Odd.name, "names"))
    with reading() as session:
        for names in ([], NAMES[2:7], [*NAMES, "nobody"], NAMES[:1]):
            assert set(session.scalars(statement, {"names": names})) == set(names) - {"nobody"}
