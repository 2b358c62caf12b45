"""The web process: granian, in front of the shop's app. docs/benchmarks.md has why."""

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes
from granian.log import LogLevels
from granian.utils.proxies import wrap_asgi_with_proxy_headers
from starlette.types import ASGIApp

from runtime import supervisor
from runtime.settings import need_queue, settings
from storefront import app, processes

_AT_ONCE = 16_384  # requests and event streams one process has open


def serve() -> None:
    """Serve pages and API until SIGTERM; what is being answered then has five seconds."""
    need_queue(settings())
    Granian(
        "storefront.web:worker", factory=True, interface=Interfaces.ASGI, address=settings().host,
        port=settings().port, loop=Loops.uvloop, http=HTTPModes.http1, websockets=False,
        runtime_mode=RuntimeModes.st, blocking_threads=1, backlog=4096, backpressure=_AT_ONCE, workers_kill_timeout=5,
        log_level=LogLevels.warning, log_access=False,
    ).serve()  # fmt: skip


def worker() -> ASGIApp:
    """The app in the process that granian starts for it, which goes with the one that started it."""
    supervisor.die_with_parent()
    supervisor.prefer_throughput()  # before the server's threads start, and for those the app starts
    processes.prepare()
    shop = app.create()
    proxies = settings().forwarded_allow_ips
    return wrap_asgi_with_proxy_headers(shop, proxies) if proxies else shop
