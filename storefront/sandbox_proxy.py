"""The way to the offline twins: /sandbox of the shop's own address is passed on to the twins' process."""

from urllib.parse import quote

import httpx2
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runtime.facts import NotFound, Unavailable
from runtime.settings import settings

_HOP = {
    "connection",
    "keep-alive",
    "transfer-encoding",
    "te",
    "upgrade",
    "content-length",
    "content-encoding",
}
_METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]
_clients: list[httpx2.AsyncClient] = []


async def pass_on(request: Request) -> Response:
    """Send the request to the twin and its answer back, unchanged but for hop-by-hop headers."""
    if not settings().sandbox_url:
        raise NotFound
    if not _clients:
        _clients.append(httpx2.AsyncClient(timeout=30, trust_env=False, follow_redirects=False))
    path = quote(request.scope["path"])  # encoded again, so that no part of it turns into a query
    if path.count("/") == 2:  # a twin's front page without its closing slash
        path += "/"
    target = settings().sandbox_url.removesuffix("/sandbox") + path
    headers = [(k, v) for k, v in request.headers.raw if k.decode() not in _HOP]
    try:
        answer = await _clients[0].request(
            request.method, httpx2.URL(target, query=request.scope["query_string"]), headers=headers,
            content=await request.body(),
        )  # fmt: skip
    except httpx2.InvalidURL:
        raise NotFound from None
    except httpx2.TransportError as trouble:
        raise Unavailable from trouble
    response = Response(answer.content, answer.status_code)
    for key, value in answer.headers.multi_items():
        if key.lower() not in _HOP:
            response.headers.append(key, value)
    return response


async def close() -> None:
    while _clients:
        await _clients.pop().aclose()


routes = [
    Route("/sandbox/{rest:path}", pass_on, methods=_METHODS),
]
