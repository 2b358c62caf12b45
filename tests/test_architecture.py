"""The shape of the house: who may import whom, and which file may touch what."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("runtime", "inventory", "kyc", "logistics", "checkout", "storefront", "loadtests")
MAY_IMPORT = {
    "runtime": set(),
    "inventory": {"runtime"},
    "kyc": {"runtime"},
    "logistics": {"runtime"},
    "checkout": {"inventory", "kyc", "logistics", "runtime"},
    "storefront": {"checkout", "inventory", "kyc", "logistics", "runtime"},
    "loadtests": set(),
}
# Outside modules that only these files may import.
ONLY_IN = {
    "redis": {
        "runtime/redis.py",
        "runtime/redis_clients.py",
        "runtime/redis_stock.py",
        "runtime/redis_trouble.py",
        "runtime/redis_server.py",
        "runtime/jobs.py",
    },
    "hiredis": {"runtime/redis.py", "runtime/redis_line.py"},
    "rq": {"runtime/jobs.py"},
    "stripe": {"checkout/stripe_api.py"},
    "os": {
        "runtime/settings.py",
        "runtime/crypto.py",
        "runtime/crash.py",
        "runtime/files.py",
        "runtime/redis_server.py",
        "runtime/supervisor.py",
        "runtime/ticker.py",
        "storefront/bench_proc.py",  # what processes used, and kill -9
        "storefront/bench_shop.py",  # cores, and an environment without the caller's settings
    },
    "subprocess": {
        "runtime/redis_server.py",
        "runtime/supervisor.py",
        "storefront/bench_load.py",  # runs wrk and other load clients, which are programs of their own
    },
    "granian": {"storefront/web.py"},
    "uvicorn": {"storefront/processes.py"},
    "click": {
        "storefront/cli.py",
        "storefront/cli_drops.py",
        "storefront/cli_queue.py",
        "storefront/cli_stock.py",
        "storefront/cli_bench.py",
        "storefront/cli_catalogue.py",
        "storefront/cli_reservations.py",
        "storefront/cli_surge.py",
    },
    "alembic": {"storefront/migrating.py", "storefront/migrations/"},
    "pickle": set(),
}
FORBIDDEN_CALLS = {"datetime.now": {"runtime/clock.py"}, "datetime.utcnow": set(), "time.time": set()}


def _files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield node.module or ""


def _allowed(path: Path, places: set[str]) -> bool:
    own = path.relative_to(ROOT).as_posix()
    return any(own == place or (place.endswith("/") and own.startswith(place)) for place in places)


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_down(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in _files(package)
        for name in _imports(path)
        if (top := name.partition(".")[0]) in PACKAGES and top not in MAY_IMPORT[package] | {package}
    ]
    assert wrong == []


@pytest.mark.parametrize("module", ONLY_IN)
def test_only_these_files_import(module: str) -> None:
    wrong = [
        str(path.relative_to(ROOT))
        for package in PACKAGES[:-1]
        for path in _files(package)
        if any(name.partition(".")[0] == module for name in _imports(path))
        and not _allowed(path, ONLY_IN[module])
    ]
    assert wrong == []


def test_only_the_clock_tells_the_time() -> None:
    wrong = []
    for package in PACKAGES[:-1]:
        for path in _files(package):
            if "sandbox" in path.name:  # the outside world has clocks of its own
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
                if called in FORBIDDEN_CALLS and not _allowed(path, FORBIDDEN_CALLS[called]):
                    wrong.append(f"{path.relative_to(ROOT)}: {called}")
    assert wrong == []


def test_every_module_says_its_job() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in _files(package)
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_no_foreign_key_crosses_a_package() -> None:
    import storefront.tables  # noqa: F401
    from runtime.db import Base

    owner: dict[str, str] = {}
    for mapper in Base.registry.mappers:
        owner[str(mapper.local_table)] = mapper.class_.__module__.partition(".")[0]
    crossing = [
        f"{table.name} -> {key.column.table.name}"
        for table in Base.metadata.tables.values()
        for key in table.foreign_keys
        if owner[key.column.table.name] != owner[table.name]
    ]
    assert crossing == []


def test_lua_lives_in_files_and_sets_no_expiry() -> None:
    assert [
        p
        for p in ROOT.glob("*/**/*.lua")
        if ".venv" not in p.parts
        and "inventory/lua" not in p.as_posix()
        and "loadtests/bench" not in p.as_posix()  # what wrk runs; it never reaches Redis
    ] == []
    for path in (ROOT / "inventory/lua").glob("*.lua"):
        text = path.read_text()
        assert text.startswith("--"), path
        for word in ("'EXPIRE'", "'PEXPIRE'", "'SETEX'", "'PSETEX'", '"EXPIRE"', "'PX'", "'EX'"):
            assert word not in text, f"{path.name}: {word}"


def test_every_fact_has_a_status() -> None:
    import storefront.app  # noqa: F401
    from runtime.facts import Fact
    from storefront.problems import STATUS

    def below(kind: type[Fact]) -> Iterator[type[Fact]]:
        for sub in kind.__subclasses__():
            yield sub
            yield from below(sub)

    missing = {
        f"{fact.__module__}.{fact.__name__} {fact.code}" for fact in below(Fact) if fact.code not in STATUS
    }
    assert missing == set()


def test_floors_of_known_holes() -> None:
    from importlib.metadata import version

    def parts(name: str) -> tuple[int, ...]:
        return tuple(int(x) for x in version(name).split(".")[:3])

    assert parts("starlette") >= (1, 3, 1)  # CVE-2026-48710, CVE-2026-54283
    assert parts("python-multipart") >= (0, 0, 34)
