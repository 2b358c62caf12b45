"""Migrations: bring the database to the newest schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from runtime.settings import settings


def config() -> Config:
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    made.set_main_option("sqlalchemy.url", settings().database_url.replace("%", "%%"))
    return made


def upgrade() -> None:
    """Run what is missing; harmless when nothing is."""
    command.upgrade(config(), "head")
