"""`haoka bench`: what holds, refusals, searches and orders cost in bare requests, in one run, proved by the audit."""

from statistics import median
from typing import Any

from sqlalchemy import func, select

from checkout import audit
from checkout.models import Order
from inventory import tallies
from runtime.db import reading
from storefront import bench_machine, bench_sections, bench_world
from storefront.bench_plan import Plan
from storefront.bench_rounds import Bench
from storefront.bench_shop import BenchError, Say, open_shop

QUICK = {
    "seconds": 0.5,
    "rounds": 1,
    "usual": 1_000,
    "shoppers": 64,
    "small": 300,
    "big": 1_000,
    "stacks": (1_000,),
}


def run(plan: Plan, say: Say) -> dict[str, Any]:
    """Measure what the plan names and prove it; gives what --json writes. Raises BenchError when the shop cannot be
    measured, or when what it holds afterwards is not what its clients were told."""
    with open_shop(plan.database, plan.web, say) as shop:
        bench = Bench(plan, shop, say)
        bench_world.counter()
        say(f"{plan.usual:,} verified shoppers sign in")
        bench.people = bench_world.shoppers(plan.usual)
        try:
            for name in ("bare", *plan.only):
                getattr(bench_sections, name.replace("-", "_"))(bench)
            if differences := _proof(bench):
                raise BenchError("\n".join(["not clean:", *differences]))
        except BenchError as trouble:
            raise BenchError(f"{trouble}\n{shop.last_words()}") from trouble
        return _result(bench)


def _proof(bench: Bench) -> list[str]:
    """Every drop audited, and what Redis and SQL have compared with what the clients were given."""
    bench.shop.check()
    wrong = []
    for drop_id in bench.drops:
        wrong += [f"{drop_id}: {line}" for line in audit.audit(drop_id).differences]
        tally = tallies.tally(drop_id)
        with reading() as session:
            count = select(func.count()).select_from(Order)
            orders = session.scalar(count.where(Order.drop_id == drop_id, Order.live)) or 0
        for what, told, found in (
            ("holds", bench.accepted[drop_id], tally.held + tally.ordered + tally.paid),
            ("orders in Redis", bench.orders[drop_id], tally.ordered + tally.paid),
            ("orders in SQL", bench.orders[drop_id], orders),
        ):
            if told != found:
                wrong.append(f"{drop_id}: clients were given {told} {what}, there are {found}")
        bench.say(f"audit of {drop_id}: {bench.accepted[drop_id]:,} holds, {orders:,} orders")
    return wrong


def _result(bench: Bench) -> dict[str, Any]:
    """The keys others read, and below `details` all that was measured and where."""
    found = bench.found
    order = found.get("order", {})
    return {
        "bare_rps": median(bench.bare),
        "hold_ratio": found.get("hold", {}).get("ratio"),
        "sold_out_ratio": found.get("sold_out", {}).get("ratio"),
        "order_cost": order.get("cost"),
        "search_p99_ms": {size: told["p99_ms"] for size, told in found.get("stacks", {}).items()},
        "audit_clean": True,
        "pool_ratio": found.get("pools", {}).get("ratio"),
        "details": {
            **found, "bare_rates": bench.bare, "bare_cpu_us": median(bench.bare_cpu_us),
            "accepted": dict(bench.accepted), "orders": dict(bench.orders),
            "plan": {name: getattr(bench.plan, name) for name in Plan.__dataclass_fields__},
            "machine": bench_machine.told(bench.shop.cores, bench.plan.database),
        },
    }  # fmt: skip
