"""What Stripe's twin remembers: one SQLite file of JSON objects, idempotency keys, deliveries and switches."""

import json
import secrets
import sqlite3
import string
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Json = dict[str, Any]

SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
    parent TEXT NOT NULL, created INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS objects_kind ON objects (kind, seq);
CREATE INDEX IF NOT EXISTS objects_parent ON objects (parent, kind, seq);
CREATE TABLE IF NOT EXISTS idempotency (
    account TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, created REAL NOT NULL,
    status INTEGER, body TEXT, PRIMARY KEY (account, key));
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, state TEXT NOT NULL, due REAL NOT NULL,
    first_at REAL NOT NULL, tries INTEGER NOT NULL DEFAULT 0, answer TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (state, due);
CREATE INDEX IF NOT EXISTS deliveries_event ON deliveries (event);
CREATE TABLE IF NOT EXISTS switches (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
ALPHABET = string.ascii_letters + string.digits


class Store:
    """One connection behind one lock: the twin is small, and a request here is a whole transaction."""

    def __init__(self, folder: Path, now: Callable[[], float]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.now = now
        self.lock = threading.RLock()
        self.wake = threading.Event()  # something was committed: there may be a webhook to deliver
        self.sql = sqlite3.connect(folder / "stripe.sqlite3", isolation_level=None, check_same_thread=False)
        self.sql.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + SCHEMA)
        # What was under way when the process died is not under way now.
        self.sql.execute("DELETE FROM idempotency WHERE status IS NULL")
        self.sql.execute("UPDATE deliveries SET state = 'waiting' WHERE state = 'sending'")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        with self.lock:
            self.sql.execute("BEGIN IMMEDIATE")
            try:
                yield self.sql
            except BaseException:
                self.sql.execute("ROLLBACK")
                raise
            self.sql.execute("COMMIT")
        self.wake.set()

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self.lock:
            return self.sql.execute(query, values).fetchall()

    def put(self, thing: Json, parent: str = "") -> None:
        self.sql.execute(
            "INSERT INTO objects (id, kind, parent, created, body) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            (thing["id"], thing["object"], parent, thing["created"], json.dumps(thing)),
        )

    def get(self, kind: str, identity: str) -> Json | None:
        found = self.rows("SELECT body FROM objects WHERE id = ? AND kind = ?", identity, kind)
        return json.loads(found[0][0]) if found else None

    def children(self, kind: str, parent: str) -> list[Json]:
        """Newest first."""
        query = "SELECT body FROM objects WHERE parent = ? AND kind = ? ORDER BY seq DESC"
        return [json.loads(body) for (body,) in self.rows(query, parent, kind)]

    def newest(self, kind: str, limit: int) -> list[Json]:
        query = "SELECT body FROM objects WHERE kind = ? ORDER BY seq DESC LIMIT ?"
        return [json.loads(body) for (body,) in self.rows(query, kind, limit)]

    def page(self, kind: str, where: str, values: list[object], limit: int, backwards: bool) -> list[Json]:
        """Up to `limit` objects, newest first (oldest first when backwards)."""
        order = "ASC" if backwards else "DESC"
        query = f"SELECT body FROM objects WHERE kind = ?{where} ORDER BY seq {order} LIMIT ?"  # noqa: S608
        return [json.loads(body) for (body,) in self.rows(query, kind, *values, limit)]

    def seq(self, identity: str) -> int | None:
        found = self.rows("SELECT seq FROM objects WHERE id = ?", identity)
        return int(found[0][0]) if found else None

    def switch(self, name: str, default: str = "") -> str:
        found = self.rows("SELECT value FROM switches WHERE name = ?", name)
        return str(found[0][0]) if found else default

    def set_switch(self, name: str, value: str) -> None:
        with self.lock:
            self.sql.execute("INSERT OR REPLACE INTO switches (name, value) VALUES (?, ?)", (name, value))


def made_id(prefix: str) -> str:
    return f"{prefix}_{''.join(secrets.choice(ALPHABET) for _ in range(24))}"
