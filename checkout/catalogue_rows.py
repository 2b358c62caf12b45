"""A catalogue's file, TOML or CSV, as rows: what each is of, its fields as written, and where it stands.

TOML: an array of tables for each kind of thing, `[[plan]]`. A table may have `columns` and `rows`, each row a
thing that shares the table's other fields. CSV: the first column `thing` says what a row is of; a field that
a thing lacks stays empty."""

import csv
import io
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from checkout.catalogue_shape import THINGS
from runtime.facts import N_, Invalid, fill

_MOST = 8 << 20  # bytes


@dataclass(frozen=True)
class Row:
    """One thing as written. `where` names it to whoever has to mend it: a line, or a table and its place."""

    thing: str
    where: str
    fields: dict[str, Any]


def rows(name: str, raw: bytes) -> list[Row]:
    """The file's rows; its name tells which form it has. Raises Invalid naming what cannot be read."""
    if len(raw) > _MOST:
        raise Invalid(file=N_("The file is larger than 8 MB; a catalogue is not."))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        text = N_("Line {line} is not UTF-8; save the file as UTF-8 (in a spreadsheet: CSV UTF-8).")
        raise Invalid(file=fill(text, line=line)) from None
    if name.lower().endswith(".toml"):
        found = list(_toml(text))
    elif name.lower().endswith(".csv"):
        found = list(_csv(text))
    else:
        raise Invalid(file=N_("Give a file whose name ends in .toml or .csv."))
    if not found:
        raise Invalid(file=N_("There is nothing in the file."))
    return found


def _toml(text: str) -> Iterator[Row]:
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Invalid(file=fill(N_("This is not TOML: {error}"), error=error)) from None
    for thing, written in tables.items():
        _known(thing, thing)
        if not isinstance(written, list) or not all(isinstance(one, dict) for one in written):
            raise Invalid(
                **{thing: fill(N_("Write a table for each, beginning with [[{thing}]]."), thing=thing)}
            )
        for nth, table in enumerate(written, 1):
            yield from _of_table(thing, f"{thing} {nth}", table)


def _of_table(thing: str, where: str, table: dict[str, Any]) -> Iterator[Row]:
    if "columns" not in table and "rows" not in table:
        yield Row(thing, where, table)
        return
    shared = {name: value for name, value in table.items() if name not in ("columns", "rows")}
    columns, lines = table.get("columns"), table.get("rows")
    if not isinstance(columns, list) or not isinstance(lines, list):
        raise Invalid(**{where: N_("`columns` and `rows` go together, each a list.")})
    for nth, line in enumerate(lines, 1):
        if not isinstance(line, list) or len(line) != len(columns):
            text = N_("Give {count} values, one for each of the columns.")
            raise Invalid(**{f"{where} row {nth}": fill(text, count=len(columns))})
        yield Row(thing, f"{where} row {nth}", shared | dict(zip(map(str, columns), line, strict=True)))


def _csv(text: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if header[:1] != ["thing"] or len(set(header)) != len(header):
            fix = N_("The first line names the columns, each once; the first of them is `thing`.")
            raise Invalid(file=fix)
        for line in reader:
            if not any(cell.strip() for cell in line):
                continue
            where = f"line {reader.line_num}"
            if len(line) != len(header):
                fix = N_("It has {found} fields, the first line has {wanted}.")
                raise Invalid(**{where: fill(fix, found=len(line), wanted=len(header))})
            cells = {name: cell.strip() for name, cell in zip(header, line, strict=True)}
            thing = cells.pop("thing")
            _known(thing, where)
            yield Row(thing, where, {name: cell for name, cell in cells.items() if cell})
    except csv.Error as error:
        text = fill(N_("Line {line} is not CSV: {error}"), line=reader.line_num, error=error)
        raise Invalid(file=text) from None


def _known(thing: str, where: str) -> None:
    if thing not in THINGS:
        fix = N_("There is no {thing} in a catalogue; it has: {known}.")
        raise Invalid(**{where: fill(fix, thing=thing, known=", ".join(THINGS))})
