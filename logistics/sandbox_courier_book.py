"""The courier twin's own book: its credentials, the manifests it pulled, its parcels, and what went over the wire."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime import clock
from runtime.settings import settings

_SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (courier TEXT PRIMARY KEY, base_url TEXT NOT NULL, client_id TEXT NOT NULL,
  client_secret TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS cursors (courier TEXT PRIMARY KEY, cursor TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS manifests (number TEXT PRIMARY KEY, courier TEXT NOT NULL, state TEXT NOT NULL,
  sealed_at TEXT NOT NULL, lines INTEGER NOT NULL, cod_fen INTEGER NOT NULL, seq INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS lines (id TEXT PRIMARY KEY, courier TEXT NOT NULL, manifest TEXT NOT NULL,
  kind TEXT NOT NULL, order_no TEXT NOT NULL, cancels TEXT NOT NULL, body TEXT NOT NULL,
  answer TEXT NOT NULL DEFAULT '', waybill TEXT NOT NULL DEFAULT '', state TEXT NOT NULL DEFAULT 'manifested',
  door TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS lines_courier ON lines (courier, manifest);
CREATE TABLE IF NOT EXISTS exchanges (id INTEGER PRIMARY KEY AUTOINCREMENT, courier TEXT NOT NULL,
  at TEXT NOT NULL, request TEXT NOT NULL, status INTEGER NOT NULL, told TEXT NOT NULL,
  good INTEGER NOT NULL);
"""


@dataclass(frozen=True)
class Account:
    """Where the partner API is and who we are there."""

    courier: str
    base_url: str
    client_id: str
    client_secret: str


class Book:
    """One SQLite file in the twin's folder, beside couriers.json that presets the credentials."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "courier.db"
        self._preset = folder / "couriers.json"
        with closing(sqlite3.connect(self._file, timeout=15)) as made:
            made.execute("PRAGMA journal_mode=WAL")
            made.executescript(_SCHEMA)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._file, timeout=15)) as connection, connection:
            connection.row_factory = sqlite3.Row
            yield connection

    def rows(self, query: str, *values: Any) -> list[sqlite3.Row]:
        with self._open() as db:
            return db.execute(query, values).fetchall()

    def write(self, query: str, *values: Any) -> None:
        with self._open() as db:
            db.execute(query, values)

    def accounts(self) -> dict[str, Account]:
        """By courier: what was typed in, else what couriers.json presets."""
        base = f"{settings().public_url}/partner/v1"
        found = {
            code: Account(code, one.get("base_url", base), one["client_id"], one["client_secret"])
            for code, one in self._presets().items()
        }
        found |= {row["courier"]: Account(*row) for row in self.rows("SELECT * FROM accounts")}
        return dict(sorted(found.items()))

    def _presets(self) -> dict[str, dict[str, str]]:
        try:
            loaded: dict[str, dict[str, str]] = json.loads(self._preset.read_text())
        except FileNotFoundError:
            return {}
        return loaded

    def keep_account(self, one: Account) -> None:
        values = (one.courier, one.base_url, one.client_id, one.client_secret)
        self.write("INSERT OR REPLACE INTO accounts VALUES (?, ?, ?, ?)", *values)

    def cursor(self, courier: str) -> str:
        found = self.rows("SELECT cursor FROM cursors WHERE courier = ?", courier)
        return str(found[0]["cursor"]) if found else ""

    def keep_cursor(self, courier: str, cursor: str) -> None:
        self.write("INSERT OR REPLACE INTO cursors VALUES (?, ?)", courier, cursor)

    def keep_manifest(self, body: dict[str, Any]) -> None:
        """Store a pulled manifest; pulled again, its lines are known by their ids and nothing is doubled."""
        number, courier = body["manifest_no"], body["courier"]
        with self._open() as db:
            db.execute(
                "INSERT OR IGNORE INTO manifests VALUES (?, ?, 'pulled', ?, ?, ?, "
                "(SELECT count(*) FROM manifests))",
                (number, courier, body["sealed_at"], body["line_count"], body["cod_total_fen"]),
            )
            db.executemany(
                "INSERT OR IGNORE INTO lines (id, courier, manifest, kind, order_no, cancels, body) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        line["line_id"], courier, number, line["kind"], line["order_no"], line["cancels_line_id"],
                        json.dumps(line, ensure_ascii=False),
                    )
                    for line in body["lines"]
                ],
            )  # fmt: skip

    def manifests(self, courier: str) -> list[sqlite3.Row]:
        """Newest first, each with how many of its lines still want an answer."""
        return self.rows(
            "SELECT m.*, (SELECT count(*) FROM lines l WHERE l.manifest = m.number AND l.answer = '') AS unanswered "
            "FROM manifests m WHERE courier = ? ORDER BY seq DESC LIMIT 50",
            courier,
        )

    def lines(self, courier: str, *, manifest: str = "", line: str = "") -> list[dict[str, Any]]:
        """Newest first; `recalled` says that a later line calls the parcel back."""
        found = self.rows(
            "SELECT l.*, EXISTS (SELECT 1 FROM lines c WHERE c.cancels = l.id) AS recalled FROM lines l "
            "WHERE courier = ? AND ? IN ('', manifest) AND ? IN ('', id) ORDER BY rowid DESC LIMIT 1000",
            courier,
            manifest,
            line,
        )
        return [{**dict(row), "body": json.loads(row["body"])} for row in found]

    def line(self, courier: str, line_id: str) -> dict[str, Any] | None:
        return next(iter(self.lines(courier, line=line_id)), None)

    def keep_answer(self, line_id: str, answer: str, waybill: str) -> None:
        self.write("UPDATE lines SET answer = ?, waybill = ? WHERE id = ?", answer, waybill, line_id)

    def keep_scan(self, line_id: str, state: str, door: str) -> None:
        self.write("UPDATE lines SET state = ?, door = ? WHERE id = ?", state, door, line_id)

    def note(self, courier: str, request: str, status: int, told: str, *, good: bool | None = None) -> int:
        """Write down one exchange; gives its number. Neither secrets nor door codes are in `request`. `good`: did it
        do what was wanted (default: a 200 did)?"""
        did = status == 200 if good is None else good
        values = (courier, clock.now().isoformat(timespec="seconds"), request, status, told, did)
        with self._open() as db:
            row = "INSERT INTO exchanges (courier, at, request, status, told, good) VALUES (?, ?, ?, ?, ?, ?)"
            return db.execute(row, values).lastrowid or 0

    def exchanges(self, courier: str) -> list[sqlite3.Row]:
        return self.rows("SELECT * FROM exchanges WHERE courier = ? ORDER BY id DESC LIMIT 12", courier)

    def exchange(self, courier: str, number: str) -> sqlite3.Row | None:
        found = self.rows("SELECT * FROM exchanges WHERE courier = ? AND id = ?", courier, number)
        return found[0] if found else None
