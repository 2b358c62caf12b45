"""A primary dies or hangs and another takes over: calls find it by themselves, and nobody else notices."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis.crc import key_slot

from inventory import drops, holds, verbs
from runtime import redis as redis_clients
from runtime.breaker import Refused
from runtime.facts import Unavailable
from runtime.redis import Verb
from runtime.settings import settings
from tests.inventory.small_drop import assert_conserved, held, hold, make_drop
from tests.patience import as_delivered
from tests.redis_cluster import SLOTS, ask, join, meet, node, until, url_of
from tests.redis_sentinel import SERVICE, Pair, sentinel_pair

LONGEST = 25  # seconds no call comes near; the library's own default would be minutes


@pytest.fixture
def at(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """at(url): the stock is there now."""
    if os.environ.get("HAOKA_TEST_REDIS"):
        pytest.skip("has servers of its own, whatever the run is for")

    def move(url: str) -> None:
        monkeypatch.setenv("HAOKA_REDIS_URL", url)
        settings.cache_clear()
        redis_clients.forget()
        verbs.forget()

    yield move
    redis_clients.forget()
    monkeypatch.undo()
    settings.cache_clear()
    verbs.forget()


@pytest.fixture
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    as_delivered(monkeypatch)


@pytest.fixture
def pair(tmp_path: Path, at: Callable[[str], None]) -> Iterator[Pair]:
    with sentinel_pair(tmp_path) as made:
        at(made.url)
        yield made


def _in_the_end(call: Callable[[], Any], seconds: float = 30) -> tuple[Any, float]:
    """Its first answer that is not Unavailable, and how long the longest try took."""
    longest, end = 0.0, time.monotonic() + seconds
    while True:
        began = time.monotonic()
        try:
            answer = call()
        except Unavailable:
            assert time.monotonic() < end
            time.sleep(0.05)
        else:
            return answer, max(longest, time.monotonic() - began)
        finally:
            longest = max(longest, time.monotonic() - began)


def test_when_the_primary_dies_verbs_find_the_promoted_replica(pair: Pair) -> None:
    make_drop("d1", 10)
    first = held("d1", "li")
    old = pair.primary
    until(lambda: _acked(old))
    pair.servers[old].kill()
    second, took = _in_the_end(lambda: held("d1", "wang"))
    assert took < LONGEST
    assert pair.primary != old
    assert second.number != first.number
    current, took = _in_the_end(lambda: holds.current("d1", "li"))
    assert took < LONGEST
    assert current == first
    assert drops.tally("d1").held == 2
    assert_conserved("d1")


def test_a_demoted_primary_is_left_for_the_new_one_by_open_connections_too(pair: Pair) -> None:
    make_drop("d1", 10)

    async def drop() -> list[str]:
        try:
            numbers = [(await hold("d1", "li")).number]
            old = pair.primary
            await asyncio.to_thread(_switch, pair, old)
            while True:
                try:
                    numbers.append((await hold("d1", "wang")).number)
                    return numbers
                except Unavailable:
                    await asyncio.sleep(0.05)
        finally:
            await redis_clients.close_async()

    before = redis_clients.hot().config_get("port")["port"]
    assert len(set(asyncio.run(drop()))) == 2
    after, _ = _in_the_end(lambda: redis_clients.hot().config_get("port")["port"])
    assert (before, after) == (str(next(iter(pair.servers))), str(pair.primary))
    assert before != after
    assert drops.tally("d1").held == 2


def _acked(primary: int) -> bool:
    """Has the replica all that was decided? Replication is asynchronous; a real failover may lose the last of it."""
    return bool(ask(primary, "WAIT", 1, 100) == 1)


def _switch(pair: Pair, old: int) -> None:
    ask(pair.sentinels[0], "SENTINEL", "FAILOVER", SERVICE)
    until(lambda: pair.primary != old)
    until(lambda: bool(ask(old, "INFO", "replication")["role"] == "slave"))


@dataclass
class Nodes:
    """Servers by port; the first three are primaries, the fourth is the first one's replica, or in no cluster yet."""

    servers: "dict[int, subprocess.Popen[bytes]]"

    @property
    def ports(self) -> list[int]:
        return list(self.servers)

    def follow(self) -> None:
        first, fourth = self.ports[0], self.ports[3]
        meet(first, fourth)
        known = ask(first, "CLUSTER", "MYID")
        until(lambda: ask(fourth, "CLUSTER", "REPLICATE", known) == "OK")
        until(lambda: ask(fourth, "INFO", "replication")["master_link_status"] == "up")
        until(lambda: all(len(ask(port, "CLUSTER", "REPLICAS", known)) == 1 for port in self.ports[:3]))


@pytest.fixture
def nodes(tmp_path: Path, at: Callable[[str], None]) -> Iterator[Nodes]:
    with ExitStack() as stack:
        partly = ("--cluster-require-full-coverage", "no")
        made = Nodes(dict(stack.enter_context(node(tmp_path / str(n), *partly)) for n in range(4)))
        join(made.ports[:3])
        at(url_of(made.ports[:3]))
        yield made


def _drop_on(node: int) -> str:
    """A drop id whose slot is the node's."""
    return next(f"d{n}" for n in range(1000) if key_slot(f"d{n}".encode()) * 3 // SLOTS == node)


def test_a_node_that_hangs_concerns_only_its_own_drops_and_is_found_again(prompt: None, nodes: Nodes) -> None:
    here, there = _drop_on(0), _drop_on(1)
    make_drop(here, 10, "110")
    make_drop(there, 10, "310")
    mine = held(here, "li")
    assert held(there, "li").state == "held"
    os.kill(nodes.servers[nodes.ports[0]].pid, signal.SIGSTOP)
    for _ in range(3):
        with pytest.raises(Unavailable):
            held(here, "wang")
    with pytest.raises(Refused):
        holds.current(here, "li")
    assert not redis_clients.healthy(verbs.key(here, "owner"))
    assert redis_clients.healthy(verbs.key(there, "owner"))
    assert held(there, "wang").state == "held"
    assert holds.expire(there) == 0
    os.kill(nodes.servers[nodes.ports[0]].pid, signal.SIGCONT)
    got, took = _in_the_end(lambda: held(here, "wang"))
    assert took < LONGEST
    assert got.number != mine.number
    assert drops.tally(here).held == drops.tally(there).held == 2


def test_when_a_clusters_node_dies_its_replica_is_found(nodes: Nodes) -> None:
    nodes.follow()
    here = _drop_on(0)
    make_drop(here, 10)
    first = held(here, "li")
    until(lambda: _acked(nodes.ports[0]))
    nodes.servers[nodes.ports[0]].kill()
    second, took = _in_the_end(lambda: held(here, "wang"))
    assert took < LONGEST
    assert second.number != first.number
    assert holds.current(here, "li") == first
    assert drops.tally(here).held == 2


def test_a_slot_that_moves_is_followed(nodes: Nodes, tmp_path: Path) -> None:
    """ASK while it moves, MOVED when it has; in threads and on the loop; the script is sent where it is not known."""
    (tmp_path / "set.lua").write_text("redis.call('SET', KEYS[1], ARGV[1]) return redis.call('GET', KEYS[1])")
    verb = Verb(tmp_path / "set.lua")
    tag = _drop_on(0)
    slot = key_slot(tag.encode())
    old, new = nodes.ports[:2]
    ids = {port: ask(port, "CLUSTER", "MYID") for port in nodes.ports[:3]}
    ask(new, "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[old])
    ask(old, "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[new])
    assert verb([f"{{{tag}}}:a"], ["1"]) == "1"

    async def on_the_loop(name: str) -> Any:
        try:
            return await verb.awaited([f"{{{tag}}}:{name}"], ["2"])
        finally:
            await redis_clients.close_async()

    assert asyncio.run(on_the_loop("b")) == "2"
    for port in (new, old):
        ask(port, "CLUSTER", "SETSLOT", slot, "NODE", ids[new])
    assert asyncio.run(on_the_loop("c")) == "2"
    assert verb([f"{{{tag}}}:d"], ["3"]) == "3"
    assert ask(new, "CLUSTER", "COUNTKEYSINSLOT", slot) == 4


def test_a_pipeline_over_several_slots_is_answered_in_its_order_and_follows_a_moved_one(nodes: Nodes) -> None:
    tags = [_drop_on(node) for node in (0, 1, 2)]
    with redis_clients.asking() as client:
        for transaction in (False, True):
            with client.pipeline(transaction=transaction) as pipe:
                for tag in tags[:1] if transaction else tags:
                    pipe.set(f"{{{tag}}}:a", tag)
                    pipe.get(f"{{{tag}}}:a")
                expected = [True, tags[0]] if transaction else [True, tags[0], True, tags[1], True, tags[2]]
                assert pipe.execute() == expected
        client.unlink(f"{{{tags[0]}}}:a")
        known = ask(nodes.ports[1], "CLUSTER", "MYID")
        for port in (nodes.ports[1], nodes.ports[0]):
            ask(port, "CLUSTER", "SETSLOT", key_slot(tags[0].encode()), "NODE", known)
        with client.pipeline(transaction=False) as pipe:
            for tag in reversed(tags):
                pipe.get(f"{{{tag}}}:a")
            assert pipe.execute() == [tags[2], tags[1], None]
