"""What a bench run knows while it goes: its plan, shop and people, and rounds of a section between bare ones."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from storefront import bench_load, bench_world
from storefront.bench_load import Told
from storefront.bench_plan import Plan
from storefront.bench_shop import BenchShop, Say
from storefront.bench_world import Shopper


@dataclass
class Bench:
    """A run under way. `accepted` and `orders` are what the clients were given, by drop, for the proof at the end."""

    plan: Plan
    shop: BenchShop
    say: Say
    people: list[Shopper] = field(default_factory=list)
    stock: Iterator[str] = field(default_factory=bench_world.ordinary_numbers)
    drops: dict[str, list[str]] = field(default_factory=dict)
    bare: list[float] = field(default_factory=list)
    bare_cpu_us: list[float] = field(default_factory=list)
    accepted: Counter[str] = field(default_factory=Counter)
    orders: Counter[str] = field(default_factory=Counter)
    found: dict[str, Any] = field(default_factory=dict)

    def drop(self, drop_id: str, count: int) -> list[str]:
        """The numbers of an open drop that every web process has on its shelf, in no order; made once."""
        if drop_id not in self.drops:
            self.say(f"drop {drop_id}: {count:,} numbers")
            numbers = bench_world.drop(drop_id, count, self.stock)
            random.Random(7).shuffle(numbers)
            self.drops[drop_id] = numbers
            self.shop.until_shown(drop_id)
        return self.drops[drop_id]

    def wishes(self, drop_id: str, people: Sequence[Shopper], numbers: Iterable[str]) -> Path:
        """A file of prepared holds, one a line: each of these people wishes the number beside them."""
        rows = (
            (one.token, f'{{"number":"{number}","offer":"{drop_id}-card"}}')
            for one, number in zip(people, numbers, strict=False)
        )
        return bench_load.lines(self.shop.home / f"{drop_id}.lines", rows)

    def ask(self, method: str, path: str, prepared: tuple[Path, int, int] | None = None) -> Told:
        """Ask the shop for the plan's seconds, or until the lines are through."""
        return self.ask_at("web", self.shop.ports, method, path, prepared)

    def ask_bare(self, method: str, path: str) -> Told:
        """Ask the bare server."""
        return self.ask_at("bare", self.shop.bare, method, path)

    def ask_at(
        self,
        kind: str,
        ports: tuple[int, ...],
        method: str,
        path: str,
        prepared: tuple[Path, int, int] | None = None,
    ) -> Told:
        """Ask what listens at those ports; `kind` names the processes whose CPU time it costs."""
        plan = self.plan
        return self.watched(
            kind,
            lambda: bench_load.ask(
                self.shop.cores, ports, plan.connections, plan.seconds, method, path, prepared
            ),
        )

    def watched(self, kind: str, once: Callable[[], Told]) -> Told:
        """What a client counted, with what it cost the processes of that kind. Raises BenchError if one is gone."""
        used = self.shop.cpu(kind)
        told = once()
        self.shop.check()
        return replace(told, cpu_us=(self.shop.cpu(kind) - used) * 1e6 / max(1, told.sent))

    def hold(self, drop_id: str, prepared: tuple[Path, int, int]) -> Told:
        """Hold the numbers of the lines, each by another shopper."""
        told = self.ask("POST", f"/api/v1/drops/{drop_id}/holds", prepared)
        self.accepted[drop_id] += told.answers.get("201", 0)
        return told

    def measure_bare(self) -> float:
        """Bare requests a second, now; kept with all others of the run."""
        told = self.ask_bare("GET", "/").only("200")
        self.bare.append(told.rate("200"))
        self.bare_cpu_us.append(told.cpu_us)
        return self.bare[-1]

    def between_bare(self, name: str, what: str, once: Callable[[int], Told]) -> None:
        """The plan's rounds of a section, bare before, between and after; notes rates, ratios and latencies.

        A ratio is over the mean of the two bare rates next to it: a machine that drifts shows, and does not count."""
        all_told: list[Told] = []
        ratios: list[float] = []
        before = self.measure_bare()
        for nth in range(self.plan.rounds):
            told = once(nth)
            after = self.measure_bare()
            all_told.append(told)
            ratios.append(told.rate(what) / ((before + after) / 2))
            self.say(
                f"{name}: {told.rate(what):,.0f} a second, {ratios[-1]:.3f} of bare ({before:,.0f}, {after:,.0f}); "
                f"p50 {told.p50_ms:.1f} ms, p99 {told.p99_ms:.1f} ms, CPU {told.cpu_us:.0f} us{_others(told, what)}"
            )
            before = after
        self.found[name] = figures(all_told, what) | {"ratio": median(ratios), "ratios": ratios}


def figures(all_told: Sequence[Told], what: str) -> dict[str, Any]:
    """Rates, latencies and the answers that were something else."""
    others: Counter[str] = Counter()
    for told in all_told:
        others.update({answer: count for answer, count in told.answers.items() if answer != what})
    return {
        "per_second": median(told.rate(what) for told in all_told),
        "rates": [told.rate(what) for told in all_told],
        "cpu_us": median(told.cpu_us for told in all_told),
        "p50_ms": median(told.p50_ms for told in all_told),
        "p99_ms": max(told.p99_ms for told in all_told),
        "others": dict(others),
        "errors": sum(told.errors for told in all_told),
    }


def _others(told: Told, what: str) -> str:
    others = {answer: count for answer, count in told.answers.items() if answer != what}
    return f"; also {others}" if others else ""
