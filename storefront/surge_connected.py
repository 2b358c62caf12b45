"""`haoka surge --connected N`: so many people wait with open event streams; how soon all hear of a change, and what
a stream costs. Then the same while others hold numbers."""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from checkout import audit
from inventory import drops, queue_rules, tallies
from inventory.models import Drop
from runtime.db import writing
from storefront import bench_load, bench_machine, bench_world
from storefront.bench_load import Told
from storefront.bench_plan import Plan
from storefront.bench_rounds import Bench
from storefront.bench_shop import BenchError, Say, open_shop

WAITING, SELLING = "surge", "hold"
_STREAMS_A_PROCESS = 15_000  # a process may open 20,000 files
_PUSHES = 5
_HOLD_SECONDS = 4  # of measuring how many holds this machine takes, undisturbed
_BUSY_SECONDS = 20
_KEPT = 0.95  # of that rate, which must have been kept
_WHO = {"actor": "surge", "reason": "a push to all"}
Lines = Iterator[dict[str, Any]]


def run(connected: int, say: Say) -> dict[str, Any]:
    """Open the streams, push, push again while holds go on; gives the figures. Raises BenchError when a stream was
    dropped, a push did not arrive or the holds were not exact."""
    web = max(1, -(-connected // _STREAMS_A_PROCESS))
    with open_shop("sqlite", web, say, shared=True) as shop, ExitStack() as stack:
        bench = Bench(Plan(web=web), shop, say)
        bench_world.counter()
        say(f"{connected:,} people who wait and {bench.plan.usual:,} who hold sign in")
        people = bench_world.shoppers(connected + bench.plan.usual)
        waiting, holders = people[:connected], people[connected:]
        numbers = bench.drop(SELLING, bench.plan.usual)
        bench.drop(WAITING, 100)
        with writing() as session:
            queue_rules.change(session, WAITING, actor="surge", reason="surge", mode="always", rate=1, cap=1)
        wishes = bench.wishes(SELLING, holders, numbers)
        undisturbed = bench_load.ask(
            shop.cores, shop.ports, 64 * web, _HOLD_SECONDS, "POST", f"/api/v1/drops/{SELLING}/holds",
            (wishes, 0, bench.plan.usual // 2),
        ).only("201")  # fmt: skip
        say(f"holds, nobody waiting: {undisturbed.rate('201'):,.0f} a second")
        time.sleep(2)
        empty = shop.resident("web")
        clients = _open(stack, bench, waiting)
        opened = [_until(client, "open") for client in clients]
        seconds = max(one["seconds"] for one in opened)
        say(f"{sum(one['open'] for one in opened):,} streams open after {seconds:.1f} s")
        a_stream = (shop.resident("web") - empty) / connected
        quiet = [_push(clients) for _ in range(_PUSHES)]
        say(f"a push reached all after {_ms(quiet)} ms")
        rate = undisturbed.rate("201") / 2
        held, busy = _while_holding(bench, wishes, rate, lambda: _push(clients), say)
        after = (shop.resident("web") - empty) / connected
        shop.check()
        wrong = _proof(undisturbed.answers["201"] + held.answers.get("201", 0), held, rate)
        if wrong:
            raise BenchError("\n".join(wrong))
        return {
            "connected": connected, "open_seconds": seconds, "bytes_a_stream": a_stream,
            "bytes_a_stream_after": after, "push_ms": [one * 1000 for one in quiet],
            "push_while_holding_ms": [one * 1000 for one in busy], "dropped": 0,
            "holds_per_second": held.rate("201"), "holds_wanted_per_second": rate,
            "holds_undisturbed_per_second": undisturbed.rate("201"), "hold_p99_ms": held.p99_ms,
            "audit_clean": True,
            "details": {"holds": vars(held), "machine": bench_machine.told(shop.cores, "sqlite")},
        }  # fmt: skip


def closing_lines(found: Mapping[str, Any]) -> list[str]:
    """What it came to, in words."""
    return [
        f"{found['connected']:,} event streams open after {found['open_seconds']:.1f} s, {found['dropped']} dropped",
        f"a stream costs {found['bytes_a_stream'] / 1024:.1f} KB over the empty processes "
        f"({found['bytes_a_stream_after'] / 1024:.1f} KB after the pushes)",
        f"a push reaches all within {max(found['push_ms']):,.0f} ms (each: {_ms_of(found['push_ms'])})",
        f"at {found['holds_per_second']:,.0f} holds a second, p99 {found['hold_p99_ms']:.0f} ms "
        f"({found['holds_undisturbed_per_second']:,.0f} undisturbed): within "
        f"{max(found['push_while_holding_ms']):,.0f} ms (each: {_ms_of(found['push_while_holding_ms'])})",
        "audit clean",
    ]


def _open(stack: ExitStack, bench: Bench, people: list[bench_world.Shopper]) -> list[Lines]:
    """A load process for each web process, and what it prints."""
    file = bench_load.lines(bench.shop.home / "waiters.lines", ((one.token, one.phone) for one in people))
    ports, share = bench.shop.ports, -(-len(people) // len(bench.shop.ports))
    clients = []
    for nth, port in enumerate(ports):
        count = min(share, len(people) - nth * share)
        clients.append(
            stack.enter_context(
                bench_load.started(
                    bench.shop.cores, "../surge/waiters.py", str(file), WAITING, "--port", str(port),
                    "--first", str(nth * share), "--count", str(count),
                )
            )
        )  # fmt: skip
    return clients


def _push(clients: list[Lines]) -> float:
    """Pause or resume the drop, as ops do; seconds until the last stream had heard of it."""
    with writing() as session:
        paused = session.get_one(Drop, WAITING).state == "paused"
    began = time.monotonic()
    with writing() as session:
        (drops.resume if paused else drops.pause)(session, WAITING, **_WHO)
    state = "open" if paused else "paused"
    last = max(_until(client, "state", state)["last"] for client in clients)
    time.sleep(1)
    return float(last - began)


def _until(client: Lines, what: str, value: str = "") -> dict[str, Any]:
    """The next line of that kind. Raises BenchError when a stream was closed before."""
    for told in client:
        if "lost" in told:
            raise BenchError(f"a stream was dropped: {told}")
        if what in told and (not value or told[what] == value):
            return told
    raise BenchError("a load client has ended")


def _while_holding(
    bench: Bench, wishes: Path, rate: float, push: Callable[[], float], say: Say
) -> tuple[Told, list[float]]:
    """Hold at that rate, and push meanwhile."""
    shop, first = bench.shop, bench.plan.usual // 2
    count = min(int(rate * _BUSY_SECONDS), bench.plan.usual - first)
    with ThreadPoolExecutor(1) as thread:
        holding = thread.submit(
            bench_load.ask, shop.cores, shop.ports, 64 * len(shop.ports), _BUSY_SECONDS, "POST",
            f"/api/v1/drops/{SELLING}/holds", (wishes, first, count), rate=rate,
        )  # fmt: skip
        time.sleep(1)
        took = [push() for _ in range(_PUSHES)]
        if holding.done():
            raise BenchError("the holds were over before the last push")
        held = holding.result()
    say(f"{held.rate('201'):,.0f} holds a second meanwhile; a push reached all after {_ms(took)} ms")
    return held, took


def _proof(sold: int, held: Told, rate: float) -> list[str]:
    wrong = []
    if held.answers.keys() - {"201"} or held.errors:
        wrong.append(f"holds were answered {held.answers}, {held.errors} errors of the connection")
    if held.rate("201") < _KEPT * rate:
        wrong.append(f"{held.rate('201'):,.0f} holds a second went on, not {rate:,.0f}")
    tally = tallies.tally(SELLING)
    if tally.held != sold:
        wrong.append(f"Redis has {tally.held:,} holds, the clients were given {sold:,}")
    return wrong + audit.audit(SELLING).differences[:20]


def _ms(seconds: list[float]) -> str:
    return _ms_of([one * 1000 for one in seconds])


def _ms_of(ms: list[float]) -> str:
    return ", ".join(f"{one:,.0f}" for one in ms)
