"""What the bench compares with: a Starlette app that does nothing, on the same server with the same switches."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route


async def hello(request: Request) -> Response:
    """The bare request: every ratio of the bench is over this one."""
    return PlainTextResponse("ok")


async def read(request: Request) -> Response:
    """For comparison: a route that only reads a body like a hold's and answers as long a one."""
    asked = await request.json()
    return JSONResponse({"number": asked["number"], "offer": asked["offer"]}, 201)


app = Starlette(routes=[Route("/", hello), Route("/read", read, methods=["POST"])])
