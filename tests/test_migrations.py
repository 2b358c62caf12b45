"""Migrations make just the tables that the models describe."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import storefront.tables  # noqa: F401
from runtime.db import Base, engine


def test_the_newest_schema_is_the_models(schema: None) -> None:
    with engine().connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
