"""Running async verbs from plain tests."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from runtime.redis import close_async

T = TypeVar("T")


def in_own_loop(call: Coroutine[Any, Any, T]) -> T:
    """Run it in a loop of its own, and close that loop's connections to Redis."""

    async def closing() -> T:
        try:
            return await call
        finally:
            await close_async()

    return asyncio.run(closing())
