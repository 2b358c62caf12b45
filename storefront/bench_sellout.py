"""`haoka bench sell-out`: more buyers than numbers over HTTP until all are gone, proved from the buyers' records."""

from pathlib import Path
from typing import Any

from checkout import audit
from inventory import holds, tallies
from storefront import bench_load, bench_machine, bench_world
from storefront.bench_plan import Plan
from storefront.bench_rounds import Bench
from storefront.bench_shop import BenchError, Say, open_shop

DROP = "sell-out"
_ASKED = 1_000  # holds looked up in Redis at once


def run(plan: Plan, numbers: int, buyers: int, say: Say) -> dict[str, Any]:
    """Sell `numbers` to `buyers` distinct people; gives the figures. Raises BenchError when they are not exact."""
    with open_shop(plan.database, plan.web, say) as shop:
        bench = Bench(plan, shop, say)
        bench_world.counter()
        say(f"{buyers:,} verified shoppers sign in")
        people = bench_world.shoppers(buyers)
        bench.drop(DROP, numbers)
        lines = bench_load.lines(shop.home / "buyers.lines", ((one.token, one.phone) for one in people))
        records = shop.home / "records"
        say(f"{buyers:,} buyers for {numbers:,} numbers")
        used = {kind: shop.cpu(kind) for kind in ("web", "redis")}
        told = bench_load.python(
            shop.cores, "buyers.py", f"http://127.0.0.1:{shop.ports[0]}", DROP, f"{DROP}-card", str(lines),
            str(records), "--ports", ",".join(map(str, shop.ports)), "--connections", str(plan.connections),
        )  # fmt: skip
        cpu = {kind: shop.cpu(kind) - before for kind, before in used.items()}
        say(f"{told['seconds']:.1f} s: {told['outcomes']}; requests {told['answers']}")
        if wrong := _proof(bench, told["outcomes"], numbers, buyers, _promised(records)):
            raise BenchError("\n".join(["not exact:", *wrong, shop.last_words()]))
        held = told["outcomes"]["held"]
        return {
            "numbers": numbers, "buyers": buyers, "held": held, "doubles": 0,
            "told_sold_out": told["outcomes"].get("sold_out", 0), "audit_clean": True,
            "holds_per_second": held / (told["sold_out_after"] or told["seconds"]),
            "details": told | {
                "server_cpu_seconds": cpu, "connections": plan.connections, "web": plan.web,
                "machine": bench_machine.told(shop.cores, plan.database),
            },
        }  # fmt: skip


def closing_line(found: dict[str, Any]) -> str:
    """What a sell-out came to, in one line."""
    told = found["details"]
    return (
        f"sell-out: {found['buyers']:,} buyers, {found['numbers']:,} numbers: {found['held']:,} holds, "
        f"{found['doubles']} doubles, {found['told_sold_out']:,} told sold_out, audit clean; "
        f"{found['holds_per_second']:,.0f} holds a second until sold out, {told['seconds']:.1f} s in all, "
        f"hold p50 {told['p50_ms']:.1f} ms, p99 {told['p99_ms']:.1f} ms"
    )


def _promised(records: Path) -> list[tuple[str, str, str]]:
    """Number, hold and buyer of every 201, as the buyers wrote them down."""
    rows = (line.split("\t") for line in records.read_text().splitlines())
    return [(number, hold, buyer) for number, hold, buyer in rows]


def _proof(
    bench: Bench, outcomes: dict[str, int], numbers: int, buyers: int, promised: list[tuple[str, str, str]]
) -> list[str]:
    """What is not as it must be: every promise in Redis for that number, none twice, nobody unanswered."""
    sold = min(numbers, buyers)
    expected = {"held": sold, "sold_out": buyers - sold}
    wrong = (
        []
        if outcomes == {k: n for k, n in expected.items() if n}
        else [f"outcomes {outcomes}, not {expected}"]
    )
    for nth, what in enumerate(("number", "hold", "buyer")):
        if (twice := len(promised) - len({row[nth] for row in promised})) > 0:
            wrong.append(f"{twice} promises share their {what} with another")
    if len(promised) != sold or not {row[0] for row in promised} <= set(bench.drops[DROP]):
        wrong.append(f"{len(promised)} promises, of numbers of the drop or not")
    for start in range(0, len(promised), _ASKED):
        chunk = promised[start : start + _ASKED]
        known = holds.find_many(hold for _, hold, _ in chunk)
        for number, hold, _ in chunk:
            if hold not in known or (known[hold].number, known[hold].state) != (number, "held"):
                wrong.append(f"hold {hold} of {number}: Redis has {known.get(hold)}")
    tally = tallies.tally(DROP)
    if (tally.loaded, tally.free, tally.held) != (numbers, numbers - sold, sold):
        wrong.append(f"{tally}")
    wrong += audit.audit(DROP).differences
    return wrong[:50]
