"""Stripe's twin behind a real HTTP server for the tests, with an endpoint that notes the webhooks it gets."""

import atexit
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import stripe
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from checkout import sandbox_stripe

SECRET = "whsec_haoka_sandbox"
KEY = "sk_test_haoka"
PUBLISHABLE = "pk_test_haoka"
http = httpx2.Client(
    verify=False, trust_env=False
)  # one for all: reading the authorities takes 0.1 s each time
atexit.register(http.close)


class Twin:
    """The twin, its address, an SDK client for it, and what its webhooks brought."""

    def __init__(self, folder: Path) -> None:
        self.offset = 0.0
        self.app = sandbox_stripe.app(folder, now=lambda: time.time() + self.offset)
        self.store = self.app.state.store
        self.hooks: list[tuple[bytes, str]] = []
        self.answers: list[int] = []  # status codes for the next webhooks; 200 when used up
        self.url = ""
        self.folder = folder

    async def hook(self, request: Request) -> Response:
        self.hooks.append((await request.body(), request.headers["stripe-signature"]))
        return Response(status_code=self.answers.pop(0) if self.answers else 200)

    def client(self, key: str = KEY) -> stripe.StripeClient:
        http = stripe.RequestsClient(timeout=8)
        return stripe.StripeClient(
            key, base_addresses={"api": self.url}, max_network_retries=0, http_client=http
        )

    def listen(self, url: str | None = None) -> None:
        to = {"url": url or self.url.replace("/sandbox/stripe", "/hook"), "secret": SECRET}
        (self.folder / "webhook.json").write_text(json.dumps(to))

    def heard(self) -> list[str]:
        return [json.loads(body)["type"] for body, _ in self.hooks]


@contextmanager
def running(folder: Path) -> Iterator[Twin]:
    twin = Twin(folder)
    outside = Starlette(
        routes=[Route("/hook", twin.hook, methods=["POST"]), Mount("/sandbox/stripe", twin.app)]
    )
    server = uvicorn.Server(
        uvicorn.Config(outside, host="127.0.0.1", port=0, log_level="critical", ws="none")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    twin.url = f"http://127.0.0.1:{port}/sandbox/stripe"
    yield twin
    server.should_exit = True
    thread.join(15)
    twin.app.state.postman.stop()


def eventually(true: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.01)
