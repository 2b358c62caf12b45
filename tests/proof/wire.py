"""A plain HTTP client for many buyers in one process: raw connections, since a library's client would be the load."""

import asyncio
import json
import time
from typing import Any

AWAY = frozenset({500, 502, 503, 504})  # what any client asks again after


class Stuck(AssertionError):
    """No answer for longer than any shopper waits."""


class Wire:
    """One connection, one request at a time; opened anew when it broke."""

    def __init__(self, port: int, timeout: float = 10) -> None:
        self.port, self.timeout = port, timeout
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(
        self, method: str, path: str, body: object = None, *, token: str = "", key: str = ""
    ) -> tuple[int, Any]:
        """Status and JSON. Raises OSError or EOFError when the connection broke: it is not known what was done."""
        sent = b"" if body is None else json.dumps(body).encode()
        head = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", f"Content-Length: {len(sent)}"]
        head += [f"Authorization: Bearer {token}"] if token else []
        head += [f"Idempotency-Key: {key}"] if key else []
        head += ["Content-Type: application/json"] if sent else []
        try:
            async with asyncio.timeout(self.timeout):
                if self._open is None:
                    self._open = await asyncio.open_connection("127.0.0.1", self.port)
                reader, writer = self._open
                writer.write("\r\n".join([*head, "", ""]).encode() + sent)
                return await _answer(reader)
        except BaseException:
            self.close()
            raise

    async def until_told(
        self, method: str, path: str, body: object = None, *, seconds: float = 120, **how: str
    ) -> tuple[int, Any]:
        """As any client: the same request again while the shop does not answer or says it is away."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                status, told = await self.ask(method, path, body, **how)
            except (OSError, EOFError):
                status, told = 503, None
            if status not in AWAY:
                return status, told
            await asyncio.sleep(0.1)
        raise Stuck(f"{method} {path}: no answer in {seconds:.0f} s")

    def close(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None


async def _answer(reader: asyncio.StreamReader) -> tuple[int, Any]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    body = await reader.readexactly(int(fields.get("content-length") or 0))
    return int(head[0].split(" ")[1]), json.loads(body) if body else None
