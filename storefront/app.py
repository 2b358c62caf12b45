"""The wiring: the route table, the middleware, what starts and stops with a web process."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Iterator
from importlib.metadata import version
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from checkout import webhooks
from inventory import queue_follow, shelf
from logistics import partner_api
from runtime import api, redis
from runtime.facts import Fact
from runtime.log import log
from storefront import (
    accounts,
    api_account,
    api_drops,
    api_orders,
    api_queue,
    api_reservations,
    api_shelf,
    assets,
    metrics,
    ops_catalogue,
    ops_drops,
    ops_identity,
    ops_manifests,
    ops_orders,
    ops_queue,
    ops_rehearsal,
    ops_reviews,
    ops_session,
    pages_account,
    pages_app,
    pages_bundle,
    pages_checkout,
    pages_drops,
    pages_favourites,
    pages_home,
    pages_orders,
    pages_pay,
    pages_queue,
    pages_ready,
    pages_reservations,
    pages_reviews,
    pages_session,
    problems,
    queue_stream,
    reservation_turns,
    sandbox_proxy,
)
from storefront.hot import Entrance
from storefront.security import Guard

STATIC = Path(__file__).parent / "static"
# Hot routes first.
SHOPPERS_API = [
    *api_shelf.api_routes, *api_drops.api_routes, *api_queue.api_routes, *api_account.api_routes,
    *api_orders.api_routes, *api_reservations.api_routes,
]  # fmt: skip
_INTRO = "Errors are application/problem+json with a stable `code`. Times are UTC, money is whole fen."
_LATENESS_PERIOD = 0.1  # seconds


def create(*, hot: bool = True) -> ASGIApp:
    """The shop's ASGI app. Without `hot` the hot routes go the way of all others, to the same answers."""
    app = Starlette(
        routes=table(),
        middleware=[
            Middleware(metrics.Meter),
            Middleware(Guard),
            Middleware(RequestBodyLimitMiddleware, max_body_size=api.MAX_BODY),
        ],
        exception_handlers={
            Fact: problems.on_fact,
            HTTPException: problems.on_http,
            Exception: problems.on_bug,
        },
        lifespan=_lifespan,
    )
    return Entrance(app) if hot else app


def table() -> list[BaseRoute]:
    """Every route of the shop."""
    return [
        Mount("/api/v1", routes=SHOPPERS_API),
        Mount("/static", GZipMiddleware(assets.Assets(directory=STATIC)), name="static"),
        Route("/stripe/webhook", stripe_webhook, methods=["POST"]),
        Mount("/partner/v1", routes=partner_api.routes),
        Route("/openapi.json", openapi),
        Route("/healthz", healthz),
        Route("/metrics", metrics.metrics),
        *pages_home.routes,
        *pages_app.routes,
        *pages_drops.routes,
        *pages_queue.routes,
        *pages_checkout.routes,
        *pages_bundle.routes,
        *pages_orders.routes,
        *pages_pay.routes,
        *pages_account.routes,
        *pages_favourites.routes,
        *pages_ready.routes,
        *pages_reservations.routes,
        *pages_reviews.routes,
        *pages_session.routes,
        *ops_session.routes,
        *ops_drops.routes,
        *ops_catalogue.routes,
        *ops_orders.routes,
        *ops_queue.routes,
        *ops_rehearsal.routes,
        *ops_reviews.routes,
        *ops_manifests.routes,
        *ops_identity.routes,
        *sandbox_proxy.routes,
    ]


async def healthz(request: Request) -> Response:
    """This process serves. It says nothing of Redis or SQL: without them pages still stand."""
    return PlainTextResponse("ok")


async def openapi(request: Request) -> Response:
    """The description of the JSON API for shoppers and partners."""
    described = api.describe(
        "Haoka", version("haoka"), {"/api/v1": SHOPPERS_API, "/partner/v1": list(partner_api.routes)},
        problems.STATUS, _INTRO,
    )  # fmt: skip
    return api.json_response(described)


async def stripe_webhook(request: Request) -> Response:
    """Stripe's news: stored with the work it asks for, then answered; worked off from the row."""
    body = await request.body()
    await run_in_threadpool(webhooks.receive, body, request.headers.get("stripe-signature", ""))
    return PlainTextResponse("ok")


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    shelf.start()
    queue_follow.start()
    await run_in_threadpool(queue_follow.wait)
    watchers = [asyncio.create_task(watching) for watching in (_watch_revoked(), _watch_lateness())]
    try:
        with _collecting_seldom():
            yield
    finally:
        for watcher in watchers:
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watcher
        await queue_stream.close()
        queue_follow.stop()
        shelf.stop()
        await sandbox_proxy.close()
        await redis.close_async()


async def _watch_lateness() -> None:
    """How late this process does what is due: a request waits as long before anybody looks at it."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _LATENESS_PERIOD
        await asyncio.sleep(_LATENESS_PERIOD)
        queue_follow.felt((loop.time() - due) * 1000)


@contextlib.contextmanager
def _collecting_seldom() -> Iterator[None]:
    """Python looks for cycles every 700 new objects and again and again through all that the modules hold, which
    is a tenth of what a hold costs. Cycles are rare here: what is there at the start is left out, the rest waits."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


async def _watch_revoked() -> None:
    while True:
        try:
            await run_in_threadpool(accounts.refresh_revoked)
            await run_in_threadpool(reservation_turns.refresh_gated)
        except Exception as error:  # the loop must outlive a moment without a database
            log.warning("sessions.refresh_failed", error=f"{type(error).__name__}: {error}"[:200])
        await asyncio.sleep(2)
