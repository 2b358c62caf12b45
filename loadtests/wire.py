"""One connection to the shop for Locust's people: requests one after the other, and event streams. Plain sockets
under gevent, since tens of thousands of people share a core with what they test."""

import json
import random
import socket
import time
from collections.abc import Callable, Generator
from typing import Any
from urllib.parse import urlsplit

from loadtests.stream import Hears, Stream

Heard = Callable[
    [str, float, int, str], None
]  # name, seconds it took, status (0: no answer), code of a problem
_BUSY = 503
_LONGEST = 60.0  # seconds an answer may take
_SILENCE = 60.0  # seconds a stream may be silent: the shop says something every 20


class Lost(Exception):
    """The connection broke, or the answer did not come."""


class Answer:
    """A status and a body."""

    __slots__ = ("body", "head", "status")

    def __init__(self, status: int, head: bytes, body: bytes) -> None:
        self.status, self.head, self.body = status, head, body

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def json(self) -> dict[str, Any]:
        told = json.loads(self.body) if self.body[:1] == b"{" else {}
        return told if isinstance(told, dict) else {}

    @property
    def code(self) -> str:
        """The code of a problem, "" of a good answer."""
        return "" if self.ok else str(self.json.get("code", ""))


class Wire:
    """A person's line to the shop. `source` is the address it comes from, `heard` is told of every answer; `place` is
    the signed place that the shop gave, to be sent along."""

    __slots__ = ("_buffer", "_host", "_sock", "_to", "heard", "place", "source", "token")

    def __init__(self, url: str, heard: Heard, *, token: str = "", source: str = "") -> None:
        parts = urlsplit(url)
        self._to = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._host = parts.netloc
        self.heard, self.token, self.source, self.place = heard, token, source, ""
        self._sock: socket.socket | None = None
        self._buffer = b""

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        self._buffer = b""

    def ask(
        self, name: str, method: str, path: str, body: Any = None, headers: str = "", *, patient: bool = True
    ) -> Answer:
        """One request. While the shop says 503, and where the line broke, a patient person asks the same again: only
        what can be repeated is asked so. Raises Lost when there is no answer after all."""
        for tries in range(50):
            answer = self._once(name, method, path, body, headers)
            if answer is not None and (answer.status != _BUSY or not patient):
                return answer
            if not patient:
                break
            time.sleep(min(5.0, 0.25 * 1.3**tries) * random.uniform(0.5, 1.5))
        raise Lost(f"{name}: no answer")

    def events(self, name: str, path: str, hears: Hears) -> Generator[tuple[str, bytes]]:
        """The events of a stream that are acted on, with their JSON, until it ends (see Stream). Raises Lost when it
        could not be opened or broke."""
        began = time.perf_counter()
        try:
            self.close()
            self._send("GET", path, b"", "Accept: text/event-stream\r\n")
            head = self._head()
        except OSError as trouble:
            self.heard(name, time.perf_counter() - began, 0, type(trouble).__name__)
            self.close()
            raise Lost(str(trouble)) from trouble
        status = int(head[9:12])
        self.heard(name, time.perf_counter() - began, status, "")
        if status != 200:
            self.close()
            raise Lost(f"{name}: {status}")
        sock = self._sock
        assert sock
        begun, self._buffer = self._buffer, b""
        stream = Stream(sock.fileno(), begun, chunked=b"chunked" in head.lower(), hears=hears)
        try:
            for event in stream.events(_SILENCE):
                yield event
                if self._sock is not sock:
                    return  # whoever acted on it closed the page
        except OSError as trouble:
            raise Lost(str(trouble)) from trouble

    def _once(self, name: str, method: str, path: str, body: Any, headers: str) -> Answer | None:
        began = time.perf_counter()
        payload = b"" if body is None else json.dumps(body).encode()
        if payload:
            headers += "Content-Type: application/json\r\n"
        try:
            answer = self._asked(method, path, payload, headers)
        except OSError as trouble:
            self.close()
            self.heard(name, time.perf_counter() - began, 0, type(trouble).__name__)
            return None
        self.heard(name, time.perf_counter() - began, answer.status, answer.code)
        return answer

    def _asked(self, method: str, path: str, payload: bytes, headers: str) -> Answer:
        kept = self._sock is not None
        try:
            self._send(method, path, payload, headers)
            head = self._head()
        except ConnectionError:
            if not kept:
                raise
            self.close()  # the shop closed a line that was silent for long: once more on a new one
            self._send(method, path, payload, headers)
            head = self._head()
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        while len(self._buffer) < length:
            self._more()
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return Answer(int(head[9:12]), head, body)

    def _send(self, method: str, path: str, payload: bytes, headers: str) -> None:
        if self._sock is None:
            source = (self.source, 0) if self.source else None
            self._sock = socket.create_connection(self._to, _LONGEST, source)
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\n"
        if self.token:
            head += f"Authorization: Bearer {self.token}\r\n"
        if self.place:
            head += f"X-Haoka-Place: {self.place}\r\n"
        if payload or method == "POST":
            head += f"Content-Length: {len(payload)}\r\n"
        self._sock.sendall((head + headers + "\r\n").encode() + payload)

    def _head(self) -> bytes:
        while (at := self._buffer.find(b"\r\n\r\n")) < 0:
            self._more()
        head, self._buffer = self._buffer[:at], self._buffer[at + 4 :]
        return head

    def _more(self) -> None:
        assert self._sock
        more = self._sock.recv(65536)
        if not more:
            raise ConnectionResetError("closed by the shop")
        self._buffer += more
