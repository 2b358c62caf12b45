"""`haoka surge --drop N --shoppers M`: a whole drop with its crowd, in a shop of its own; what everybody was told is
held against what happened."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

from inventory import drops, queue_rules, tallies, verbs
from runtime import clock
from runtime.db import writing
from runtime.redis import asking
from runtime.settings import give
from storefront import bench_load, bench_world
from storefront.bench_shop import BenchError, BenchShop, Say, open_shop
from storefront.bench_world import Shopper
from storefront.surge_judged import DROP, Surge, judged, records
from storefront.surge_plan import Plan

_OPEN_AT_ONCE = 15_000  # connections of one process, of the 20,000 files it may open
_READY_S = 6.0  # seconds from the start of the clients to the first who comes
_CALM_S = 3.0  # nothing free and nothing held so long: sold out
_SPOKEN_S = 10.0  # seconds between two lines of progress
_LAST_S = 60.0  # seconds that those who wait are given to hear of the end
_BARE_S = 2.0
_KILLED_EVERY_S = 4.0
_SETTLES_S = 2.0  # from when the last who came early is due to when they wait quietly
_LOOKERS = 0.01  # for each who queues
_WHO = {"actor": "surge", "reason": "surge"}


def run(plan: Plan, say: Say) -> dict[str, Any]:
    """Let everybody come, sell until nothing is left, close, and judge. Raises BenchError where it could not be run;
    what was wrong with the sale stands in `wrong`."""
    web = max(2, -(-min(plan.at_once, plan.people) // _OPEN_AT_ONCE))
    with open_shop(plan.database, web, say, shared=True) as shop:
        bare = _bare(shop)
        say(f"bare route: {bare:,.0f} a second")
        if plan.workers:
            shop.start_workers()
        surge, lines = _world(plan, shop, say)
        with _people(surge, lines, web) as running:
            shop.running.watch(until=lambda: _step(surge, running))
        stories, series = records(shop.home)
        return judged(surge, stories, series, bare)


def _bare(shop: BenchShop) -> float:
    """Requests a second that the bare route answers on the same machine, before anybody comes."""
    ask = (shop.cores, shop.bare, 64 * len(shop.bare), _BARE_S, "GET", "/")
    bench_load.ask(*ask)
    return bench_load.ask(*ask).only("200").rate("200")


def _world(plan: Plan, shop: BenchShop, say: Say) -> tuple[Surge, Path]:
    """The drop with its queue, and the file of who comes."""
    bench_world.counter()
    accounts = plan.shoppers + (plan.bot_accounts if plan.bots else 0)
    say(f"{accounts:,} shoppers sign in")
    people = bench_world.shoppers(accounts, verified=round(plan.verified * plan.shoppers))
    lines = shop.home / "shoppers.jsonl"
    with lines.open("w") as file:
        file.writelines(json.dumps(one) + "\n" for one in _lines(plan, people))
    say(f"{plan.numbers:,} numbers are loaded")
    later = clock.now() + timedelta(days=1)
    numbers = bench_world.drop(
        DROP, plan.numbers, bench_world.ordinary_numbers(), opens_at=later, hold_seconds=plan.hold_seconds
    )
    with writing() as session:
        queue = queue_rules.change(
            session,
            DROP,
            **_WHO,
            mode="always",
            rate=plan.rate,
            cap=plan.cap,
            limit_network=plan.limit_network,
        )
        commitment = queue.commitment
    shop.until_shown(DROP)
    return Surge(plan, shop, say, numbers, commitment), lines


def _lines(plan: Plan, people: Sequence[Shopper]) -> Iterator[dict[str, Any]]:
    """Shoppers, and among them the bots, evenly spread. Where bots come everybody has an address of their own, and
    the bots share a few."""
    hoarders = round(plan.hoarders * plan.shoppers)
    every = max(1, plan.shoppers // max(1, plan.bots)) if plan.bots else 0
    bots = 0
    for nth, one in enumerate(people[: plan.shoppers]):
        line: dict[str, Any] = {"token": one.token, "phone": one.phone, "verified": one.verified}
        if plan.bots:
            line["source"] = f"127.{16 + nth // 60_000}.{nth // 240 % 250}.{1 + nth % 240}"
        if nth % max(1, plan.shoppers // hoarders) == 0 if hoarders else False:
            line["role"] = "Hoarder"
        yield line
        while plan.bots and bots < plan.bots * (nth + 1) // plan.shoppers and every:
            account = people[plan.shoppers + bots % plan.bot_accounts]
            yield {
                "token": account.token, "phone": account.phone, "verified": account.verified, "role": "Bot",
                "source": f"127.8.0.{1 + bots % plan.bot_accounts % plan.bot_addresses}",
            }  # fmt: skip
            bots += 1


def _now() -> float:
    """Seconds since 1970."""
    return clock.now_ms() / 1000


def _opening(surge: Surge) -> None:
    """The drop opens when those who come before had time to."""
    plan = surge.plan
    surge.opens_at = _now() + _READY_S + plan.quiet + plan.calm
    with writing() as session:
        drops.move_opening(session, DROP, clock.from_ms(round(surge.opens_at * 1000)), **_WHO)


@contextmanager
def _people(surge: Surge, lines: Path, processes: int) -> Iterator[list[dict[str, Any]]]:
    """The processes of those who come; gives the newest line of each, which threads keep up to date."""
    plan, shop = surge.plan, surge.shop
    share, at_once = -(-plan.people // processes), min(plan.at_once, plan.people)
    newest: list[dict[str, Any]] = [{} for _ in range(processes)]
    _opening(surge)
    with ExitStack() as stack:
        for nth in range(processes):
            lines_of = stack.enter_context(
                bench_load.started_module(
                    shop.cores, "loadtests.surge.run", str(lines), DROP, str(shop.home / f"records-{nth}"),
                    "--ports", ",".join(map(str, shop.ports)), "--opens-at", f"{surge.opens_at:.3f}",
                    "--quiet", f"{plan.quiet + plan.calm:.1f}", "--calm", f"{plan.calm:.1f}",
                    "--first", str(nth * share), "--count", str(share), "--at-once", str(-(-at_once // processes)),
                    "--walk-away", str(plan.walk_away), "--lookers", str(round(_LOOKERS * at_once / processes)),
                    "--seed", str(plan.seed), log=shop.home / f"people-{nth}.log",
                )
            )  # fmt: skip
            Thread(target=_read, args=(lines_of, newest, nth), daemon=True).start()
        yield newest


def _read(told: Iterator[dict[str, Any]], newest: list[dict[str, Any]], nth: int) -> None:
    for line in told:
        newest[nth] = newest[nth] | line


def _step(surge: Surge, people: list[dict[str, Any]]) -> bool:
    """Ten times a second: look, and do what is due. True when everybody is through."""
    now, plan = _now(), surge.plan
    if ended := [one["ended"] for one in people if "ended" in one]:
        if any(ended):
            logs = [log.read_text()[-2000:] for log in surge.shop.home.glob("people-*.log")]
            raise BenchError("\n".join([f"a load client ended with {ended}", *logs, surge.shop.last_words()]))
        if len(ended) == len(people):
            return True
    if now > surge.opens_at + plan.minutes * 60 + (_LAST_S if surge.closed_at else 0):
        if surge.closed_at:
            told = f"not everybody was told of the end within {_LAST_S:.0f} s: {people}"
            raise BenchError(f"{told}\n{surge.shop.last_words()}")
        surge.say(f"{plan.minutes:.0f} minutes are over: the drop is closed")
        _close(surge)
    _ask_for_calls(surge, now)
    if not surge.samples or now - surge.samples[-1]["at"] >= 1:
        _sample(surge, now, people)
    return False


def _sample(surge: Surge, now: float, people: list[dict[str, Any]]) -> None:
    tally = tallies.tally(DROP)
    with asking() as client:
        told = client.hmget(verbs.key(DROP, "line"), ["last", "served", "inside", "drawn", "factor"])
    last, served, inside, _ = (int(one or 0) for one in told[:4])
    surge.samples.append(
        {
            "at": now, "free": tally.free, "held": tally.held, "ordered": tally.ordered + tally.paid, "last": last,
            "served": served, "inside": inside, "factor": float(told[4] or 1),
            "through": sum(one.get("through", 0) for one in people),
            "standing": sum(one.get("standing", 0) for one in people),
        }
    )  # fmt: skip
    if now - surge.spoken >= _SPOKEN_S:
        surge.spoken, newest = now, surge.samples[-1]
        surge.say(
            f"{now - surge.opens_at:+.0f} s: {newest['standing']:,} here, {newest['through']:,} through; queue "
            f"{served:,} of {last:,} called, {inside:,} inside; {tally.free:,} free, {tally.held:,} held, "
            f"{newest['ordered']:,} ordered"
        )
    if surge.closed_at or now < surge.opens_at:
        return
    if surge.plan.kill_web > surge.killed and now > surge.opens_at + _KILLED_EVERY_S * (surge.killed + 1):
        _kill_web(surge)
    if tally.free or tally.held:
        surge.sold_at = 0.0
    elif not surge.sold_at:
        surge.sold_at = now
    elif now - surge.sold_at >= _CALM_S:
        _close(surge)


def _close(surge: Surge) -> None:
    if surge.sold_at:
        surge.say(f"sold out {surge.sold_at - surge.opens_at:.0f} s after the opening; the drop is closed")
    surge.closed_at = _now()
    with writing() as session:
        drops.close(session, DROP, **_WHO)
    surge.say(f"closing took {_now() - surge.closed_at:.2f} s")


def _kill_web(surge: Surge) -> None:
    """kill -9 one web process, by turns; the supervisor starts it again."""
    shop = surge.shop
    webs = [child for child in shop.running.children if child.name.startswith("web")]
    nth = surge.killed % len(webs)
    surge.killed += 1
    running = webs[nth].running
    assert running
    surge.say(f"{webs[nth].name} is killed")
    running.kill()
    running.wait()
    give("port", str(shop.ports[nth]))  # of the one that is started again


def _ask_for_calls(surge: Surge, now: float) -> None:
    """When all who came early wait quietly, and once more before the opening: the calls to Redis by then."""
    settled, last = surge.opens_at - surge.plan.calm + _SETTLES_S, surge.opens_at - _SETTLES_S
    if len(surge.asked) < 2 and settled < last and now >= (last if surge.asked else settled):
        surge.asked.append((now, sum(surge.shop.redis_calls(port) for port in surge.shop.ports)))
