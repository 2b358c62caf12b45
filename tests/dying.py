"""A process that is killed at a crash point."""

import subprocess
import sys
from pathlib import Path

from runtime.settings import settings
from tests.patience import PATIENT

ROOT = Path(__file__).parent.parent


def runs_into(point: str, source: str, *args: str) -> bool:
    """Another process runs that Python on this one's stock and database, with the point set. Was it killed there?
    If not it must have ended well."""
    known = settings()
    environment = PATIENT | {
        "PATH": "/usr/bin",
        "PYTHONPATH": str(ROOT),
        "HAOKA_HOME": str(known.home),
        "HAOKA_DATABASE_URL": known.database_url,
        "HAOKA_REDIS_URL": known.redis_url,
        "HAOKA_CRASH_POINT": point,
    }
    ran = subprocess.run(
        [sys.executable, "-c", source, *args], env=environment, check=False, capture_output=True
    )
    assert ran.returncode in (-9, 0), ran.stderr.decode()
    return ran.returncode == -9
