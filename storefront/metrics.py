"""What /metrics tells: requests by route and status, drop figures from Redis, age of the oldest undone work."""

import time
from collections.abc import Iterator
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inventory import drops, tallies
from runtime import clock
from runtime.db import reading
from runtime.facts import Unavailable
from runtime.outbox import OutboxRow

registry = CollectorRegistry()
_requests = Counter(
    "haoka_requests_total", "Requests by route and status", ["route", "status"], registry=registry
)
_seconds = Histogram(
    "haoka_request_seconds", "Time to the start of the answer", ["route"], registry=registry,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5),
)  # fmt: skip
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


def count(route: str, status: int, seconds: float) -> None:
    """An answer of a route begins, so long after its request came."""
    answered, took = _meters(route, status)
    answered.inc()
    took.observe(seconds)


@cache  # there are only so many routes and statuses
def _meters(route: str, status: int) -> tuple[Counter, Histogram]:
    return _requests.labels(route, str(status)), _seconds.labels(route)


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


registry.register(_Shop())


async def metrics(request: Request) -> Response:
    body = await run_in_threadpool(generate_latest, registry)
    return Response(body, media_type="text/plain; version=0.0.4; charset=utf-8")
