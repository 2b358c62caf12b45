"""Event streams of the queue: what a stream is told when its place is news to this process."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from inventory import draw, queue_follow
from inventory.queue_view import View
from storefront.queue_stream import Streams

pytestmark = pytest.mark.anyio
LINE = {"mode": "always", "come_ms": "60000", "last": "2"}


@pytest.fixture
async def streams() -> AsyncIterator[Streams]:
    made = Streams()
    yield made
    await made.close()
    queue_follow.forget()


def view_of(*early: str) -> View:
    """A drop that is open and drawn, nobody called yet."""
    view = View("d1", epoch="e", line=dict(LINE), state="open", free=10, loaded=10)
    if early:
        tell(view, "1-0", "join", rows="\n".join(f"{ticket}\tearly" for ticket in early))
    order = draw.make("d1", "5e" * 32, early)
    view.apply(("2-0", {"verb": "draw", "tickets": str(len(early))}), order)
    return view


def tell(view: View, at: str, verb: str, **fields: str) -> None:
    view.apply((at, {"verb": verb, **fields}))


async def opened(streams: Streams, view: View, ticket: str) -> list[dict[str, Any]]:
    """The places that a stream is told, from its beginning on."""
    told: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        for event in message.get("body", b"").decode().split("\n\n"):
            kind, _, data = event.partition("\ndata: ")
            if kind.endswith("event: place"):
                told.append(json.loads(data))

    await streams.open(view, ticket, "", send)  # type: ignore[arg-type]
    return told


async def states(streams: Streams, view: View, told: list[dict[str, Any]]) -> list[tuple[str, int]]:
    streams._changed(view)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return [(one["state"], one["place"]) for one in told]


async def test_whose_place_comes_round_after_the_stream_began_is_told_of_it_and_of_the_call(
    streams: Streams,
) -> None:
    view = view_of("t1")
    told = await opened(streams, view, "t2")
    await states(streams, view, told)
    tell(view, "3-0", "join", rows="t2\t2")
    assert (await states(streams, view, told))[-1] == ("waiting", 2)
    tell(view, "9999999999999-0", "let", served="2", inside="0", free="10")
    assert (await states(streams, view, told))[-1] == ("called", 2)


async def test_who_queues_again_while_a_stream_is_open_is_told_of_the_new_place(streams: Streams) -> None:
    view = view_of("t1", "t2")
    place = view.places["t1"]
    told = await opened(streams, view, "t1")
    tell(view, "3-0", "let", served="2", inside="0", free="10")  # so long ago that they missed it
    await states(streams, view, told)
    tell(view, "4-0", "join", rows="t1\t3")
    assert (await states(streams, view, told))[-1] == ("waiting", 3)
    assert told[0]["place"] == place
    tell(view, "9999999999999-0", "let", served="3", inside="0", free="10")
    assert (await states(streams, view, told))[-1] == ("called", 3)
