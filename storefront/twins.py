"""The offline twins: the outside world on a laptop, one Starlette app under /sandbox."""

import importlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Mount

_TWINS = {
    "stripe": "checkout.sandbox_stripe",
    "identity": "kyc.sandbox_identity",
    "sms": "kyc.sandbox_sms",
    "courier": "logistics.sandbox_courier",
}


def app(folder: Path) -> Starlette:
    """All twins; each keeps its state in files of its own in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    mounts = []
    for name, module in _TWINS.items():
        if find_spec(module):
            mounts.append(
                Mount(f"/sandbox/{name}", app=importlib.import_module(module).app(folder), name=name)
            )
    return Starlette(routes=mounts, lifespan=_lifespan)


@asynccontextmanager
async def _lifespan(twins: Starlette) -> AsyncIterator[None]:
    """That of each twin: Starlette runs none of mounted apps."""
    async with AsyncExitStack() as stack:
        for mount in twins.routes:
            twin = mount.app  # type: ignore[attr-defined]
            await stack.enter_async_context(twin.router.lifespan_context(twin))
        yield
