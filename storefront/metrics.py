"""What /metrics tells: requests by route and status, drop figures from Redis, queues, age of the oldest undone
work."""

import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inventory import drops, queue_follow, tallies
from runtime import clock
from runtime.db import reading
from runtime.facts import Unavailable
from runtime.outbox import OutboxRow
from runtime.redis import calls
from storefront import queue_stream

registry = CollectorRegistry()
_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5)  # seconds
_LIVE = {"warming", "open", "paused", "sold_out"}


class Meter:
    """Middleware that counts answers by route name, so that ids never become labels."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        started = time.perf_counter()

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = scope.get("route")
                name = getattr(route, "name", None) or "unmatched"
                count(name, message["status"], time.perf_counter() - started)
            await send(message)

        await self.app(scope, receive, send_counted)


@dataclass
class _Answers:
    """Of one route: how many of each status, how many within each bound (the last: above all), seconds in sum."""

    statuses: Counter[int] = field(default_factory=Counter)
    within: list[int] = field(default_factory=lambda: [0] * (len(_BOUNDS) + 1))
    seconds: float = 0.0


_answers: defaultdict[str, _Answers] = defaultdict(_Answers)  # the event loop's: it alone writes


def count(route: str, status: int, seconds: float) -> None:
    """An answer of a route begins, so long after its request came."""
    known = _answers[route]
    known.statuses[status] += 1
    known.within[bisect_left(_BOUNDS, seconds)] += 1
    known.seconds += seconds


class _Requests(Collector):
    """What count() noted. The library's own counters cost five times as much where every microsecond counts."""

    def collect(self) -> Iterator[CounterMetricFamily | HistogramMetricFamily]:
        requests = CounterMetricFamily(
            "haoka_requests", "Requests by route and status", labels=["route", "status"]
        )
        seconds = HistogramMetricFamily(
            "haoka_request_seconds", "Time to the start of the answer", labels=["route"]
        )
        for route, known in list(_answers.items()):
            for status, number in list(known.statuses.items()):
                requests.add_metric([route, str(status)], number)
            bounds = [*map(str, map(float, _BOUNDS)), "+Inf"]
            buckets = list(zip(bounds, accumulate(known.within), strict=True))
            seconds.add_metric([route], buckets, sum_value=known.seconds)
        yield requests
        yield seconds


class _Shop(Collector):
    """Figures read when they are asked for: Redis and SQL are the truth, not a counter of ours."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        numbers = GaugeMetricFamily(
            "haoka_drop_numbers", "Numbers of a drop by state", labels=["drop", "state"]
        )
        with reading() as session:
            live = [d.id for d in drops.listing(session) if drops.face(d) in _LIVE]
            oldest = session.scalar(select(func.min(OutboxRow.made_at)).where(OutboxRow.state == "due"))
            dead = session.scalar(select(func.count()).where(OutboxRow.state == "dead"))
        for drop in live:
            try:
                tally = tallies.tally(drop)
            except Unavailable:
                break
            for state in ("loaded", "free", "held", "ordered", "paid", "withdrawn"):
                numbers.add_metric([drop, state], getattr(tally, state))
        yield numbers
        age = (clock.now() - oldest).total_seconds() if oldest else 0.0
        yield GaugeMetricFamily("haoka_outbox_age_seconds", "Age of the oldest undone work", value=age)
        yield GaugeMetricFamily(
            "haoka_outbox_dead", "Work that failed for good and waits for a person", value=dead or 0
        )


class _Queues(Collector):
    """The queues as this process knows them, from memory."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        people = GaugeMetricFamily("haoka_queue_people", "People of a drop's queue", labels=["drop", "state"])
        pace = GaugeMetricFamily("haoka_queue_pace", "People called a second, of late", labels=["drop"])
        for view in list(queue_follow.views.values()):
            people.add_metric([view.drop_id, "waiting"], view.last - view.served)
            people.add_metric([view.drop_id, "called"], view.served)
            people.add_metric([view.drop_id, "inside"], int(view.line.get("inside", 0)))
            pace.add_metric([view.drop_id], view.pace(clock.now_ms()))
        yield people
        yield pace
        yield GaugeMetricFamily(
            "haoka_queue_streams", "Waiting pages live in this process", value=queue_stream.count()
        )


class _RedisCalls(Collector):
    """What this process asked of the stock's Redis."""

    def collect(self) -> Iterator[CounterMetricFamily]:
        sent = CounterMetricFamily(
            "haoka_redis_calls",
            "Calls to the stock's Redis: to answer requests, and to follow it",
            labels=["what"],
        )
        for what in ("requests", "following"):
            sent.add_metric([what], calls[what])
        yield sent


registry.register(_RedisCalls())
registry.register(_Requests())
registry.register(_Shop())
registry.register(_Queues())


async def metrics(request: Request) -> Response:
    body = await run_in_threadpool(generate_latest, registry)
    return Response(body, media_type="text/plain; version=0.0.4; charset=utf-8")
