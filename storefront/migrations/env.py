"""Alembic's environment: our metadata, our engine, one transaction."""

from typing import Any, Literal

from alembic import context

import storefront.tables  # noqa: F401 - all models
from runtime.db import Base, SealedText, UtcDateTime, engine


def plain(kind: str, item: Any, _context: object) -> str | Literal[False]:
    """Write our column types as what the database sees, so that old migrations never need our code."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, SealedText):
        return "sa.LargeBinary()"
    return False


with engine().execution_options(writes=True).connect() as connection:
    context.configure(
        connection=connection, target_metadata=Base.metadata, render_item=plain, compare_type=True
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
