"""The sections of the bench: holds, refusals, large pools, searches, orders."""

from collections import Counter
from itertools import cycle
from pathlib import Path
from statistics import mean, median

from storefront import bench_load, bench_stacks
from storefront.bench_load import Told
from storefront.bench_rounds import Bench, figures
from storefront.bench_shop import BenchError, free_port, pinned, wait_for

_SEARCHES = (
    "", "ending=88", "contains=52", "no4=1", "pattern=AA", "segment=186", "city=110&no4=1", "no4=1&ending=6",
)  # fmt: skip


def bare(bench: Bench) -> None:
    """The bare route; and for comparison one that reads a small JSON body, and a server that does nothing: what the
    load client could ask if nothing held it up."""
    bench.ask_bare("GET", "/")  # warms up
    bench.measure_bare()
    bench.found["bare_read"] = figures([bench.ask_bare("POST", "/read").only("201")], "201")
    port = free_port()
    bench.shop.running.add("echo", pinned(bench.shop.cores.serve, bench_load.server("echo.py", port)))
    wait_for(port)
    bench.found["client"] = figures([bench.ask_at("echo", (port,), "GET", "/").only("200")], "200")


def hold(bench: Bench) -> None:
    """Accepted, durable holds: distinct shoppers and numbers, signed tokens, limits, journal, AOF always."""
    size = bench.plan.usual
    wishes, share = bench.wishes("hold", bench.people, bench.drop("hold", size)), size // bench.plan.rounds
    bench.between_bare("hold", "201", lambda nth: bench.hold("hold", (wishes, nth * share, share)))


def sold_out(bench: Bench) -> None:
    """What everybody else is told by a drop whose only number is held."""
    last = bench.drop("empty", 1)
    bench.hold("empty", (bench.wishes("empty", bench.people, last), 0, 1)).only("201")
    late = bench.people[1:]
    prepared = (bench.wishes("empty", late, cycle(last)), 0, len(late))
    bench.between_bare(
        "sold_out", "409 sold_out",
        lambda _: bench.ask("POST", "/api/v1/drops/empty/holds", prepared).only("409 sold_out"),
    )  # fmt: skip


def pools(bench: Bench) -> None:
    """The hold rate at many numbers over the rate at few, always in turns."""
    small, big = bench.plan.small, bench.plan.big
    ratios, few, many = [], [], []
    wishes = bench.wishes("big", bench.people, bench.drop("big", big))
    rounds = min(bench.plan.rounds * 3 // 2, len(bench.people) // small)  # they are short, so more of them
    for nth in range(rounds + 1):
        name = f"small-{nth}"
        few.append(bench.hold(name, (bench.wishes(name, bench.people, bench.drop(name, small)), 0, small)))
        if nth < rounds:
            many.append(bench.hold("big", (wishes, nth * small, small)))
    for nth, told in enumerate(many):
        ratios.append(told.rate("201") / mean((few[nth].rate("201"), few[nth + 1].rate("201"))))
    bench.found["pools"] = {
        "ratio": median(ratios), "ratios": ratios, str(small): figures(few, "201"), str(big): figures(many, "201"),
    }  # fmt: skip
    bench.say(f"holds at {big:,} numbers: {median(ratios):.3f} of the rate at {small:,}")


def search(bench: Bench) -> None:
    """Twenty numbers through HTTP, all kinds of questions mixed, by pool size."""
    found = bench.found["search_http"] = {}
    for name, size in (("small-0", bench.plan.small), ("big", bench.plan.big)):
        bench.drop(name, size)
        asked = (
            (one.token, f"?limit=20&{text}")
            for one, text in zip(bench.people, cycle(_SEARCHES), strict=False)
        )
        lines = bench_load.lines(bench.shop.home / "search.lines", asked)
        told = bench.ask("GET", f"/api/v1/drops/{name}/numbers", (lines, 0, len(bench.people))).only("200")
        found[str(size)] = figures([told], "200")
        bench.say(
            f"search of {size:,}: {told.rate('200'):,.0f} a second, p50 {told.p50_ms:.1f} ms, "
            f"p99 {told.p99_ms:.1f} ms"
        )


def order(bench: Bench) -> None:
    """Verified shoppers search, hold what they were shown and order it by cash on delivery, committed in SQL; first
    with no worker running, then with all of them at what those orders left to do."""
    bench.drop("order", bench.plan.usual)
    people = bench_load.lines(
        bench.shop.home / "order.lines", ((one.token, one.phone) for one in bench.people)
    )
    half = bench.plan.usual // 2
    _order_rounds(bench, "order", people, 0, half)
    bench.shop.start_workers()
    _order_rounds(bench, "order_with_workers", people, half, half)


def _order_rounds(bench: Bench, name: str, people: Path, first: int, count: int) -> None:
    answers: Counter[str] = Counter()
    times: list[dict[str, list[float]]] = []
    share = count // bench.plan.rounds

    def once(nth: int) -> Told:
        told, more = bench_load.buy(
            bench.shop.cores, bench.shop.ports, bench.plan.shoppers, bench.plan.seconds, "order",
            (people, first + nth * share, share),
        )  # fmt: skip
        answers.update(more["answers"])
        times.append(more["ms"])
        bench.accepted["order"] += more["answers"].get("hold 201", 0)
        bench.orders["order"] += told.sent
        if not told.sent:
            raise BenchError(f"not one order was placed: {more['answers']}")
        return told

    bench.between_bare(name, "order", lambda nth: bench.watched("web", lambda: once(nth)))
    found = bench.found[name]
    found |= {"cost": 1 / found["ratio"], "answers": dict(answers), "ms": times}
    bench.say(f"{name}: costs {found['cost']:.1f} bare requests; answers {dict(answers)}")


def stacks(bench: Bench) -> None:
    """A search at the function, for every filter alone and mixed, by number of numbers."""
    found = bench.found["stacks"] = {}
    for count in bench.plan.stacks:
        told = found[str(count)] = bench_stacks.measured(count)
        bench.say(
            f"search of {count:,} at the function: p99 {told['p99_ms']:.2f} ms ({told['worst']}), "
            f"{told['bytes_a_number']:.1f} bytes a number"
        )
