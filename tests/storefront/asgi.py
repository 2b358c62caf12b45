"""Asking an ASGI app as a server would, byte by byte, and comparing what two of them answer."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message

HOST = (b"host", b"testserver")
_CHANGING = re.compile(rb'"server_time":"[^"]+"')


@dataclass(frozen=True)
class Asked:
    """A request: headers as they come off the wire, the body in as many pieces as it came in."""

    method: str
    path: str
    headers: Sequence[tuple[bytes, bytes]] = (HOST,)
    pieces: Sequence[bytes] = (b"",)
    query: bytes = b""
    gone: bool = False  # the client went away before its body was through


@dataclass(frozen=True)
class Answered:
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes = field(repr=False)

    def same(self) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """What has to be equal: headers in any order, a page's nonce and the time of day left out."""
        nonce = re.search(rb"'nonce-([^']+)'", dict(self.headers).get(b"content-security-policy", b""))
        shown = _CHANGING.sub(b"", self.body)
        headers = [(name.lower(), value) for name, value in self.headers]
        if nonce:
            shown = shown.replace(nonce[1], b"")
            headers = [(name, value.replace(nonce[1], b"")) for name, value in headers]
        left_out = len(self.body) - len(shown)  # a time of a whole second is written shorter
        headers = [
            (name, b"%d" % (int(value) - left_out) if name == b"content-length" else value)
            for name, value in headers
        ]
        return self.status, sorted(headers), shown


async def ask(app: ASGIApp, asked: Asked) -> Answered:
    """One request; a fault the server would log is swallowed once it was answered."""
    coming: list[Message] = [
        {"type": "http.request", "body": piece, "more_body": asked.gone or nth + 1 < len(asked.pieces)}
        for nth, piece in enumerate(asked.pieces)
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return coming.pop(0) if coming else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": asked.method,
        "scheme": "http", "path": asked.path, "raw_path": asked.path.encode(), "query_string": asked.query,
        "root_path": "", "headers": list(asked.headers), "client": ("192.0.2.1", 1), "server": ("testserver", 80),
        "state": {},
    }  # fmt: skip
    try:
        await app(scope, receive, send)
    except Exception:
        if not sent:
            raise
    start, *parts = sent
    return Answered(
        start["status"], list(start["headers"]), b"".join(part.get("body", b"") for part in parts)
    )
