"""What came of a surge: everything measured, and what was not as it must be."""

import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import msgspec
from sqlalchemy import select

from checkout import audit
from checkout.models import Order
from inventory import queue_rules, tallies, verbs
from inventory.draw import Draw
from inventory.journal import Entry
from runtime.db import reading
from runtime.redis import asking
from storefront import bench_machine, surge_oracle
from storefront.bench_shop import BenchError, BenchShop, Say
from storefront.surge_oracle import Told
from storefront.surge_plan import Plan

DROP = "surge"
_TOLD_WITHIN_S = 2.0
_BOTS_MORE = 0.01  # of the numbers, that bots may get over their accounts' share
_LAPSED_WITHIN_S = 5.0  # a hold's time is over when the clock comes by


@dataclass
class Surge:
    """A run under way: samples of the stock and the queue by second, and moments as seconds since 1970."""

    plan: Plan
    shop: BenchShop
    say: Say
    numbers: list[str]
    commitment: str
    opens_at: float = 0.0
    samples: list[dict[str, float]] = field(default_factory=list)
    closed_at: float = 0.0
    sold_at: float = 0.0
    spoken: float = 0.0
    killed: int = 0
    asked: list[tuple[float, int]] = field(
        default_factory=list
    )  # when, and calls to Redis for requests by then


def records(home: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What came of each visit, and each process's answers by second."""
    stories, series = [], []
    for file in sorted(home.glob("records-*")):
        *told, answers = map(json.loads, file.read_text().splitlines())
        stories += told
        series.append(answers)
    return stories, series


def judged(
    surge: Surge, stories: list[dict[str, Any]], series: list[dict[str, Any]], bare: float
) -> dict[str, Any]:
    """Everything measured, and what is wrong with it."""
    plan, shop = surge.plan, surge.shop
    published = _draw(shop)
    tally, differences = tallies.tally(DROP), audit.audit(DROP).differences
    sold = surge_oracle.stock(stories, surge.numbers, exhausted=bool(surge.sold_at))
    fair = surge_oracle.fairness(stories, published)
    gone_at, heard = _gone(stories), dict[str, Told]()
    wrong = surge_oracle.draw_faults(published, surge.commitment)
    for what, at in (("gone", gone_at), ("ended", surge.closed_at)):
        heard[what] = found = surge_oracle.told(stories if at else (), what, at)
        if found.untold:
            wrong.append(f"{found.untold:,} of {found.waiting:,} who waited were not told that it is {what}")
    wrong += _against_sql(stories) + differences
    if surge.sold_at and (tally.free or tally.held):
        wrong.append(f"at the end {tally.free:,} numbers are free and {tally.held:,} held")
    for name in ("oversold", "undersold", "doubles"):
        if count := getattr(sold, name):
            wrong.append(f"{name}: {count:,}")
    if fair.error:
        wrong.append(f"fairness: {vars(fair)}")
    if (late := max(one.last for one in heard.values())) > _TOLD_WITHIN_S:
        wrong.append(f"somebody was told of the end after {late:.1f} s")
    hostile = _hostile(plan, stories, gone_at)
    wrong += hostile.pop("wrong")
    outcomes = Counter(one["outcome"] for one in stories)
    took = max(1.0, (surge.sold_at or surge.closed_at) - surge.opens_at)
    return {
        "sold": sold.sold, "oversold": sold.oversold, "undersold": sold.undersold, "doubles": sold.doubles,
        "fairness_error": fair.error, "told_of_end_s": late,
        "audit_clean": not differences, "sold_out_after_s": took,
        "orders_per_second": sold.sold / took, "bare_rps": bare,
        "wrong": wrong,
        "details": {
            "plan": vars(plan), "outcomes": outcomes, "fairness": vars(fair), "hostile": hostile,
            "told": {what: vars(one) for what, one in heard.items()},
            "waiting": _cost_of_waiting(surge, series), "killed": surge.killed,
            "opens_at": surge.opens_at, "closed_at": surge.closed_at, "samples": surge.samples, "series": series,
            "draw": msgspec.to_builtins(published),
            "machine": bench_machine.told(shop.cores, plan.database),
        },
    }  # fmt: skip


def _cost_of_waiting(surge: Surge, series: list[dict[str, Any]]) -> dict[str, Any]:
    """While all who came early wait: their requests, and the calls to Redis that the web processes made to answer
    requests, as they count them."""
    if len(surge.asked) < 2:
        return {}
    (since, before), (until, after) = surge.asked[0], surge.asked[-1]
    window = range(round(since), round(until))
    requests = sum(sum(one["seconds"].get(str(second), {}).values()) for one in series for second in window)
    standing = [one["standing"] for one in surge.samples if since <= one["at"] <= until]
    return {"people": min(standing, default=0), "requests": requests, "redis_calls": after - before}


def _hostile(plan: Plan, stories: list[dict[str, Any]], gone_at: float) -> dict[str, Any]:
    """What bots and hoarders got, beside their share of the accounts that came."""
    accounts = plan.shoppers + (plan.bot_accounts if plan.bots else 0)
    told: dict[str, Any] = {"wrong": []}
    if plan.bots:
        sold = sum(1 for one in stories if one["role"] == "Bot" and one.get("order"))
        share, fair = sold / plan.numbers, plan.bot_accounts / accounts
        told |= {"bots_sold": sold, "bots_share": share, "bots_accounts_share": fair}
        if share > fair + _BOTS_MORE:
            told["wrong"].append(f"bots got {share:.1%} of the numbers with {fair:.1%} of the accounts")
    if plan.hoarders and gone_at:
        kept = surge_oracle.kept(stories, gone_at + plan.hold_seconds + _LAPSED_WITHIN_S) / plan.numbers
        fair = plan.hoarders * plan.shoppers / accounts
        told |= {"hoarders_kept_share": kept, "hoarders_accounts_share": fair}
        if kept > fair:
            told["wrong"].append(
                f"hoarders kept {kept:.1%} after a hold's time with {fair:.1%} of the accounts"
            )
    return told


def _draw(shop: BenchShop) -> Draw:
    """The draw as anybody may fetch it; the clock publishes it within seconds."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with reading() as session:
            published = queue_rules.published(session, DROP)
        if published.seed:
            return published
        time.sleep(0.5)
    raise BenchError(f"the draw was not published: {shop.last_words()}")


def _gone(stories: list[dict[str, Any]]) -> float:
    """When the last number went: the last hold before the queue was told, by Redis's clock."""
    with asking() as client:
        entries = cast(list[Entry], client.xrange(verbs.key(DROP, "queue")))
    told = [int(entry.partition("-")[0]) / 1000 for entry, fields in entries if fields["verb"] == "gone"]
    before = [one["held_at"] for one in stories if told and one.get("held_at", told[0] + 1) <= told[0] + 0.05]
    return max(before, default=0.0)


def _against_sql(stories: list[dict[str, Any]]) -> list[str]:
    """Every order a shopper was given stands in SQL with its number, and SQL has no other."""
    given = {one["order"]: one["number"] for one in stories if one.get("order")}
    with reading() as session:
        rows = session.execute(select(Order.id, Order.number).where(Order.drop_id == DROP, Order.live))
        known = {row.id: row.number for row in rows}
    wrong = [
        f"order {order} of {number} is not in SQL"
        for order, number in given.items()
        if known.get(order) != number
    ]
    wrong += [
        f"order {order} of {number} was told to nobody"
        for order, number in known.items()
        if order not in given
    ]
    return wrong[:20]


def closing_lines(found: Mapping[str, Any]) -> list[str]:
    """What it came to, in words."""
    details, plan = found["details"], found["details"]["plan"]
    fair, told = details["fairness"], details["told"]
    sold_out, rate = found["sold_out_after_s"], found["orders_per_second"]
    lines = [
        f"{plan['shoppers']:,} shoppers, {plan['numbers']:,} numbers: {found['sold']:,} orders, {found['oversold']} "
        f"over, {found['undersold']} under, {found['doubles']} doubles; sold out {sold_out:.1f} s after the opening, "
        f"{rate:,.0f} orders a second (bare route before: {found['bare_rps']:,.0f})",
        f"fairness error {found['fairness_error']}: {fair['early']:,} places of the draw, {fair['late']:,} after it, "
        f"{fair['called']:,} calls; {fair['changed']} places changed, {details['killed']} web processes killed",
    ]
    for what, words in (("gone", "nothing is free"), ("ended", "it is over")):
        one = told[what]
        lines.append(
            f"{one['waiting']:,} who waited were told within {one['last']:.2f} s that {words} (the first after "
            f"{one['first']:.2f} s, half of them within {one['half']:.2f} s)"
        )
    if waiting := details["waiting"]:
        share = waiting["redis_calls"] / max(1, waiting["requests"])
        lines.append(
            f"while {waiting['people']:,} waited, {waiting['requests']:,} requests cost {waiting['redis_calls']:,} "
            f"calls to Redis: {share:.4f} for each"
        )
    hostile = details["hostile"]
    if "bots_sold" in hostile:
        lines.append(
            f"bots: {plan['bots']:,} connections of {plan['bot_accounts']:,} accounts got {hostile['bots_sold']:,} "
            f"numbers, {hostile['bots_share']:.1%}; they are {hostile['bots_accounts_share']:.1%} of the accounts"
        )
    if "hoarders_kept_share" in hostile:
        lines.append(
            f"hoarders: a hold's time after nothing was free they kept {hostile['hoarders_kept_share']:.1%} of "
            f"the numbers; of the accounts they are {hostile['hoarders_accounts_share']:.1%}"
        )
    clean = "audit clean" if found["audit_clean"] else "audit not clean"
    return [*lines, clean, *(f"wrong: {fault}" for fault in found["wrong"][:20])]
