"""`haoka bench servers`: uvicorn and granian with the same apps on the same core: speed, event streams, stopping.

The evidence for which of them serves the shop; docs/benchmarks.md says what was concluded from it."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

from inventory import tallies
from runtime.settings import give
from runtime.supervisor import Child
from storefront import bench_load, bench_machine, bench_proc, bench_world
from storefront.bench_load import Told
from storefront.bench_plan import Plan
from storefront.bench_rounds import Bench
from storefront.bench_shop import BenchError, Say, free_port, open_shop, pinned, python, wait_for

_UVICORN = (
    "uvicorn", "--loop", "uvloop", "--http", "httptools", "--ws", "none", "--no-access-log", "--log-level", "warning",
    "--backlog", "4096", "--timeout-graceful-shutdown", "5",
)  # fmt: skip
_GRANIAN = (
    "granian", "--interface", "asgi", "--loop", "uvloop", "--http", "1", "--no-ws", "--no-access-log",
    "--log-level", "warning", "--backlog", "4096", "--runtime-mode", "st", "--blocking-threads", "1",
    "--workers-kill-timeout", "5",
)  # fmt: skip
SERVERS = {"uvicorn": _UVICORN, "granian": _GRANIAN}
_BARE, _SHOP = "storefront.bench_bare:app", "storefront.bench_bare:shop"
_LONGEST = 20.0  # seconds a server may take to stop


def run(plan: Plan, streams: int, say: Say) -> dict[str, Any]:
    """Everything that tells the two servers apart, by check and server."""
    with open_shop(plan.database, 1, say) as shop:
        bench = Bench(plan, shop, say)
        bench_world.counter()
        bench.people = bench_world.shoppers(plan.usual)
        found: dict[str, Any] = {"speed": _speed(bench)}
        checks: dict[str, Callable[[Bench, str], dict[str, Any]]] = {
            "streams": lambda bench, name: _streams(bench, name, streams),
            "stop_idle": _stop_idle,
            "stop_under_load": _stop_under_load,
            "kill": _kill,
        }
        for check, once in checks.items():
            found[check] = {name: once(bench, name) for name in SERVERS}
            say(f"{check}: {found[check]}")
        return found | {"machine": bench_machine.told(shop.cores, plan.database)}


@contextmanager
def _serving(bench: Bench, name: str, app: str) -> Iterator[tuple[Child, int]]:
    """The app on that server, on the core that serves; ended with all its children."""
    port, running = free_port(), bench.shop.running
    give("port", str(port))
    factory = ["--factory"] if app == _SHOP else []
    command = python(*SERVERS[name], *factory, "--port", str(port), app)
    child = running.add(f"{name}-{port}", pinned(bench.shop.cores.serve, command))
    give("port", str(bench.shop.ports[0]))
    assert child.running
    pids = [child.running.pid]
    try:
        wait_for(port)
        pids = bench_proc.family(pids)
        yield child, port
    finally:
        running.children.remove(child)
        for pid in pids:
            bench_proc.kill(pid)
        child.running.wait()


def _speed(bench: Bench) -> dict[str, Any]:
    """Bare requests and accepted holds a second, the two servers by turns."""
    plan, found = bench.plan, {}
    numbers = bench.drop("servers", plan.usual)
    wishes = bench.wishes("servers", bench.people, numbers)
    rates: dict[str, dict[str, list[Told]]] = {name: {"bare": [], "hold": []} for name in SERVERS}
    share = plan.usual // (2 * plan.rounds)
    with _serving(bench, "uvicorn", _BARE) as one, _serving(bench, "granian", _BARE) as other:
        for _ in range(plan.rounds):
            for name, (child, port) in (("uvicorn", one), ("granian", other)):
                told = _ask(bench, child, port, "GET", "/", None).only("200")
                rates[name]["bare"].append(told)
    with _serving(bench, "uvicorn", _SHOP) as one, _serving(bench, "granian", _SHOP) as other:
        for nth in range(plan.rounds):
            for turn, (name, (child, port)) in enumerate((("uvicorn", one), ("granian", other))):
                lines = (wishes, (2 * nth + turn) * share, share)
                told = _ask(bench, child, port, "POST", "/api/v1/drops/servers/holds", lines).only("201")
                rates[name]["hold"].append(told)
    for name, kinds in rates.items():
        found[name] = {
            kind: {
                "per_second": median(one.rate("200" if kind == "bare" else "201") for one in all_told),
                "p99_ms": max(one.p99_ms for one in all_told),
                "cpu_us": median(one.cpu_us for one in all_told),
            }
            for kind, all_told in kinds.items()
        }  # fmt: skip
        bench.say(f"{name}: {found[name]}")
    return found


def _ask(bench: Bench, child: Child, port: int, method: str, path: str, lines: Any) -> Told:
    plan = bench.plan
    return bench.watched(
        child.name,
        lambda: bench_load.ask(
            bench.shop.cores, (port,), plan.connections, plan.seconds, method, path, lines
        ),
    )


def _streams(bench: Bench, name: str, streams: int) -> dict[str, Any]:
    """Memory of open event streams, a push to all of them, and SIGTERM while they are open."""
    with _serving(bench, name, _BARE) as (child, port):
        pid = _pid(child)
        before = bench_proc.resident_bytes([pid])
        with bench_load.started(
            bench.shop.cores, "streams.py", f"http://127.0.0.1:{port}", "--streams", str(streams)
        ) as lines:
            told = next(lines)
            grown = bench_proc.resident_bytes([pid]) - before
            stopped = _stopped(child, signal.SIGTERM)
            closed = next(lines)
        return told | {"bytes_a_stream": grown / streams, "sigterm": stopped, "closed": closed}


def _stop_idle(bench: Bench, name: str) -> dict[str, Any]:
    """SIGTERM and SIGINT with nothing to do."""
    found = {}
    for which in (signal.SIGTERM, signal.SIGINT):
        with _serving(bench, name, _SHOP) as (child, _):
            found[which.name] = _stopped(child, which)
    return found


def _stop_under_load(bench: Bench, name: str) -> dict[str, Any]:
    """SIGTERM while buyers buy: every hold that Redis has must have been told to its buyer."""
    drop_id = f"stop-{name}"
    bench.drop(drop_id, bench.plan.small)
    home = bench.shop.home
    lines = bench_load.lines(home / "buyers.lines", ((one.token, one.phone) for one in bench.people))
    with _serving(bench, name, _SHOP) as (child, port):
        bench.shop.until_shown(drop_id, (port,))
        with bench_load.started(
            bench.shop.cores, "buyers.py", f"http://127.0.0.1:{port}", drop_id, f"{drop_id}-card", str(lines),
            str(home / f"{drop_id}.records"), "--connections", str(bench.plan.connections),
        ) as answers:  # fmt: skip
            until = time.monotonic() + 30
            while tallies.tally(drop_id).held < bench.plan.small // 10:
                if time.monotonic() > until:
                    raise BenchError(f"{name}: nobody buys")
                time.sleep(0.02)
            stopped = _stopped(child, signal.SIGTERM)
            told = next(answers)
    held = tallies.tally(drop_id).held
    return {
        "sigterm": stopped,
        "held": held,
        "untold": held - told["outcomes"].get("held", 0),
        "buyers": told["outcomes"],
    }


def _kill(bench: Bench, name: str) -> dict[str, Any]:
    """kill -9 of the process that serves, and where it is another's child, of its parent: who is left, and how soon
    the port answers again."""
    found: dict[str, Any] = {}
    with _serving(bench, name, _SHOP) as (child, port):
        family = bench_proc.family([_pid(child)])
        bench_proc.kill(family[-1])
        time.sleep(3)
        found["after_killing_the_worker"] = "parent runs" if bench_proc.alive(family[0]) else "all ended"
        found["answers_again"] = _answers(port)
    with _serving(bench, name, _SHOP) as (child, port):
        family = bench_proc.family([_pid(child)])
        bench_proc.kill(family[0])
        time.sleep(3)
        found["after_killing_the_parent"] = (
            "worker runs" if any(map(bench_proc.alive, family[1:])) else "all ended"
        )
    began = time.monotonic()
    with _serving(bench, name, _SHOP):
        found["start_seconds"] = time.monotonic() - began
    return found


def _answers(port: int) -> bool:
    try:
        wait_for(port, 3)
    except BenchError:
        return False
    return True


def _stopped(child: Child, which: signal.Signals) -> dict[str, Any]:
    """Seconds until it ended by itself and its exit code; None where it had to be killed."""
    assert child.running
    began = time.monotonic()
    child.running.send_signal(which)
    while child.running.poll() is None and time.monotonic() - began < _LONGEST:
        time.sleep(0.01)
    return {"seconds": round(time.monotonic() - began, 2), "code": child.running.returncode}


def _pid(child: Child) -> int:
    assert child.running
    return child.running.pid
