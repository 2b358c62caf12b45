"""A proxy before a Redis, in a thread, that makes the weather of a network: each toxic a test may ask for."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager

TOXICS = ("refuse", "blackhole", "latency", "lost reply", "half reply", "reset", "slow bytes")
LATENCY = 3.0  # seconds a reply is late
RATE = 1024  # bytes a second that slow bytes come at


class Proxy:
    """Listens on a port of loopback and passes all on to the server's unix socket, as the weather allows."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.weather = ""
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._fair = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()
        self._thread.start()
        self._do(self._listen())

    def turn(self, weather: str = "") -> None:
        """From now on, for the connections there are too. Nothing given: fair."""
        self._do(self._turn(weather))

    def close(self) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _do(self, call: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(call, self._loop).result(10)

    async def _turn(self, weather: str) -> None:
        self.weather = weather
        self._fair.clear() if weather else self._fair.set()
        if weather == "refuse":
            await self._end()
        elif self._server is None:
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._link, "127.0.0.1", self.port, reuse_address=True)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for link in list(self._links):
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    async def _link(self, near: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        this = asyncio.current_task()
        assert this is not None
        self._links.add(this)
        far, request = await asyncio.open_unix_connection(self.upstream)
        verb = asyncio.Event()  # set: the last request was a verb
        both = [
            asyncio.ensure_future(self._requests(near, request, answer, verb)),
            asyncio.ensure_future(self._replies(far, answer, verb)),
        ]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in both:
                pump.cancel()
            _reset(answer)
            request.transport.abort()
            self._links.discard(this)

    async def _requests(
        self,
        near: asyncio.StreamReader,
        request: asyncio.StreamWriter,
        answer: asyncio.StreamWriter,
        verb: asyncio.Event,
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await near.read(1 << 16):
                if self.weather == "reset":
                    return
                verb.set() if b"\r\nEVAL" in data else verb.clear()
                if self.weather == "blackhole":  # what was sent comes late, also when its sender has given up
                    await self._fair.wait()
                request.write(data)

    async def _replies(
        self, far: asyncio.StreamReader, answer: asyncio.StreamWriter, verb: asyncio.Event
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await far.read(1 << 16):
                match self.weather:
                    case "lost reply" if verb.is_set():
                        return
                    case "half reply":
                        answer.write(data[: len(data) // 2])
                        await answer.drain()
                        return
                    case "latency":
                        await asyncio.sleep(LATENCY)
                    case "blackhole":
                        await self._fair.wait()
                    case "slow bytes":
                        for start in range(0, len(data), RATE // 20):
                            answer.write(data[start : start + RATE // 20])
                            await asyncio.sleep(0 if self._fair.is_set() else 0.05)
                        continue
                answer.write(data)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Not a clean end but RST."""
    link = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextmanager
def proxy(upstream: str) -> Iterator[Proxy]:
    """`upstream` is the path of a unix socket."""
    made = Proxy(upstream)
    try:
        yield made
    finally:
        made.close()
