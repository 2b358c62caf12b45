"""The processes: workers, clock, twins, and `haoka run`, which starts them all with what they stand on."""

import shlex
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from runtime import jobs, log, outbox, redis_server, supervisor, ticker
from runtime.settings import Settings, embedded_redis, give, need_queue, settings

ROOT = Path(__file__).parent.parent
# Orders come first, papers and parcels after. In a rush a worker that renders contracts has work without end, and on
# two cores would take what holds and orders need; nobody waits for it at that second.
NICE = {"papers": 10, "dispatch": 10}
_JOBS = ("inventory.jobs", "kyc.jobs", "checkout.jobs", "storefront.jobs")


def prepare() -> None:
    """What every process of ours does first: logging, all jobs known, commits wake workers."""
    log.configure(settings().log_level)
    for module in _JOBS:
        import_module(module)
    outbox.wake_with(jobs.wake)


def worker(queue: str) -> None:
    """Work off one queue until SIGTERM."""
    need_queue(settings())
    prepare()
    jobs.work(queue)


def clock() -> None:
    """Run the schedule until SIGTERM."""
    from storefront.schedule import schedule

    need_queue(settings())
    prepare()
    stopping = threading.Event()
    for which in (signal.SIGTERM, signal.SIGINT):
        signal.signal(which, lambda *_: stopping.set())
    ticker.run("clock", schedule(), stopping)


def twins(port: int) -> None:
    """Serve the offline twins on loopback until SIGTERM."""
    import uvicorn

    from storefront.twins import app

    log.configure(settings().log_level)
    uvicorn.run(
        app(settings().home / "twins"), host="127.0.0.1", port=port, ws="none", access_log=False,
        log_level="warning", timeout_graceful_shutdown=3,
    )  # fmt: skip


def run() -> int:
    """Start the whole shop, make the demo world once, say when it is ready; ends on SIGTERM. Gives the exit code."""
    say = _say(time.monotonic())
    try:
        held = supervisor.lock(settings().home)
    except supervisor.AlreadyRunningError as trouble:
        say(str(trouble))
        return 1
    if _taken(settings().host, settings().port):
        say(f"port {settings().port} is in use; set HAOKA_PORT to a free one")
        return 1
    shop = supervisor.Supervisor(settings().home / "logs", say)
    shop.stop_on_signals()
    try:
        _start_all(shop, say)
        shop.watch()
    except redis_server.NoRedisError as trouble:
        say(str(trouble))
        return 1
    finally:
        say("stopping")
        shop.stop()
        held.close()
    say("stopped")
    return 0


def _start_all(shop: supervisor.Supervisor, say: Callable[[str], None]) -> None:
    from storefront import migrating, seed

    port = _free_port()
    give("sandbox_url", f"http://127.0.0.1:{port}/sandbox")
    own: Settings = settings()
    say(f"data folder {own.home}")
    if (embedded := embedded_redis(own.home)) in (own.redis_url, own.queue_redis_url):
        say("starting Redis (appendonly, fsync always)")
        shop.add("redis", redis_server.command(own.home / "redis"))
        redis_server.wait(embedded)
    say("bringing the database to the newest schema")
    migrating.upgrade()
    prepare()
    seed.demo(say)
    if shop.stopping:
        return
    say("starting twins, web, workers and clock")
    shop.add("twins", supervisor.program("twins", "--port", str(port)))
    for line in (ROOT / "Procfile").read_text().splitlines():
        name, _, command = line.partition(":")
        shop.add(name, supervisor.program(*shlex.split(command)[1:]), nice=NICE.get(name, 0))
    ready = threading.Event()
    threading.Thread(target=_announce, args=(say, ready, lambda: shop.stopping), daemon=True).start()


def _announce(say: Callable[[str], None], ready: threading.Event, stopping: Callable[[], bool]) -> None:
    """Wait until the shop answers and say so, with all addresses and logins."""
    from storefront import seed

    while not stopping():
        if _answers(settings().host, settings().port):
            for line in seed.addresses():
                say(line)
            print(f"Haoka is ready: {settings().public_url}", flush=True)
            ready.set()
            return
        time.sleep(0.1)


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1) as link:
            link.sendall(f"GET /healthz HTTP/1.0\r\nHost: {host}:{port}\r\n\r\n".encode())
            return b" 200 " in link.recv(64)
    except OSError:
        return False


def _taken(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _say(start: float) -> Callable[[str], None]:
    def say(line: str) -> None:
        print(f"[{time.monotonic() - start:5.1f} s] {line}", file=sys.stderr, flush=True)

    return say
