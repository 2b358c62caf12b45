"""Where a bench ran: machine, versions, commit, database."""

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from runtime.db import engine
from runtime.redis import asking
from storefront.bench_shop import Cores


def told(cores: Cores, database: str) -> dict[str, Any]:
    """Where it was measured: what a figure is worth nothing without."""
    with asking() as client:
        redis: Any = client.info("server")
        rules: Any = client.config_get("append*")
    with engine().connect() as connection:
        sql = ".".join(map(str, connection.dialect.server_version_info or ()))
    names = ("starlette", "granian", "uvicorn", "uvloop", "httptools", "redis", "sqlalchemy", "numpy")
    return {
        "system": platform.platform(), "cpu": _cpu(),
        "cores": {"serve": cores.serve, "load": cores.load},
        "python": platform.python_version(), **{name: version(name) for name in names},
        "redis_server": redis.get("valkey_version") or redis["redis_version"],
        "appendonly": rules["appendonly"], "appendfsync": rules["appendfsync"],
        "database": f"{database} {sql}", "commit": _commit(),
    }  # fmt: skip


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _commit() -> str:
    """The git commit of this tree, read from its files; empty outside of a checkout."""
    folder = Path(__file__).parent.parent / ".git"
    head = folder / "HEAD"
    if not head.exists():
        return ""
    _, _, ref = head.read_text().strip().partition(" ")
    if not ref:  # a commit is checked out, no branch
        return head.read_text().strip()
    loose = folder / ref
    if loose.exists():
        return loose.read_text().strip()
    packed = folder / "packed-refs"
    lines = packed.read_text().splitlines() if packed.exists() else []
    return next((line.split()[0] for line in lines if line.endswith(f" {ref}")), head.read_text().strip())
