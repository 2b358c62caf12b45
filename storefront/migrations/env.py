"""Alembic's environment: our metadata, our engine, one transaction."""

from alembic import context

import storefront.tables  # noqa: F401 - all models
from runtime.db import Base, engine

with engine().execution_options(writes=True).connect() as connection:
    context.configure(
        connection=connection, target_metadata=Base.metadata, render_as_batch=True, compare_type=True
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
