"""Alembic's environment: our metadata, our engine, one transaction."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection

import storefront.tables  # noqa: F401 - all models
from runtime.db import Base, SealedText, UtcDateTime, engine


def plain(kind: str, item: Any, _context: object) -> str | Literal[False]:
    """Write our column types as what the database sees, so that old migrations never need our code."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, SealedText):
        return "sa.LargeBinary()"
    return False


def keys(connection: Connection, on: bool) -> None:
    """SQLite makes a table anew to change it, which foreign keys would forbid; they are checked afterwards."""
    if connection.dialect.name == "sqlite":
        plain = connection.connection.driver_connection
        assert plain
        broken = plain.execute("PRAGMA foreign_key_check").fetchall() if on else []
        if broken:
            raise RuntimeError(f"a migration left rows that refer to nothing: {broken[:5]}")
        plain.execute(f"PRAGMA foreign_keys={'ON' if on else 'OFF'}")


with engine().execution_options(writes=True).connect() as connection:
    keys(connection, on=False)
    context.configure(
        connection=connection, target_metadata=Base.metadata, render_item=plain, compare_type=True
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
    keys(connection, on=True)
