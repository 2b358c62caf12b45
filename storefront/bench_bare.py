"""What the bench compares with: Starlette apps that do nothing, and the shop's own, for any server to load."""

import asyncio
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

_listening: set[asyncio.Queue[str]] = set()


async def hello(request: Request) -> Response:
    """The bare request: every ratio of the bench is over this one."""
    return PlainTextResponse("ok")


async def read(request: Request) -> Response:
    """For comparison: a route that only reads a body like a hold's and answers as long a one."""
    asked = await request.json()
    return JSONResponse({"number": asked["number"], "offer": asked["offer"]}, 201)


async def events(request: Request) -> Response:
    """An event stream that says hello, then what is pushed, and ends when the client goes."""
    return StreamingResponse(_events(), media_type="text/event-stream")


async def push(request: Request) -> Response:
    """One event for every open stream."""
    for queue in _listening:
        queue.put_nowait("free 99999")
    return PlainTextResponse(str(len(_listening)))


async def _events() -> AsyncIterator[str]:
    queue = asyncio.Queue[str]()
    _listening.add(queue)
    try:
        yield "data: hello\n\n"
        while True:
            yield f"data: {await queue.get()}\n\n"
    finally:
        _listening.discard(queue)


def shop() -> ASGIApp:
    """The shop's own app, as a web process of ours has it."""
    from storefront import web

    return web.worker()


app = Starlette(
    routes=[
        Route("/", hello), Route("/read", read, methods=["POST"]), Route("/events", events),
        Route("/push", push, methods=["POST"]),
    ]
)  # fmt: skip
