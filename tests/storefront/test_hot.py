"""The hot entrance answers whatever comes as the app behind it does: same status, headers and body."""

import json
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from starlette.types import ASGIApp

from inventory import drops, holds, queue_follow, queue_rules, verbs
from runtime import clock
from runtime import redis as redis_clients
from runtime.db import writing
from runtime.settings import settings
from storefront import accounts, app, hot, metrics, nearest
from tests.checkout.shop import CARD, DROP, open_shop
from tests.loops import in_own_loop
from tests.storefront.asgi import HOST, Answered, Asked, ask
from tests.storefront.hot_cases import (
    BODIES,
    EN,
    GOOD,
    HEADERS,
    HOLDS,
    NUMBERS,
    ORDER,
    ORDERS,
    PATHS,
    PIECES,
    QUERIES,
    QUEUE,
    REFUSED,
    SECOND,
    ZH,
    bearer,
    post,
    token,
    wish,
)

Pair = Callable[[Asked], "Any"]

pytestmark = pytest.mark.anyio


@pytest.fixture
def world(db: None, redis: Redis, tmp_path: Path) -> str:
    """An open drop of 40 numbers and two offers, one number held by Wang."""
    verbs.forget()
    open_shop(tmp_path, "")
    in_own_loop(held("acc_wang", SECOND))
    return DROP


async def held(account: str, number: str = "", drop: str = DROP) -> holds.Hold:
    token = holds.new_token(drop, account)
    return await holds.hold(drop, token=token, account=account, number=number, offer=CARD)


async def afresh(way: ASGIApp, asked: Asked) -> Answered:
    """Which of several equally near numbers are shown is chance, and what a crowd gets: here the same again."""
    random.seed(1)
    nearest._found.clear()
    return await ask(way, asked)


@pytest.fixture
async def pair(world: str) -> AsyncIterator[Pair]:
    """Asks the app without the entrance, then the app with it; gives both answers after comparing them."""
    long_way, hot_way = app.create(hot=False), app.create()
    assert isinstance(hot_way, hot.Entrance)

    async def compare(asked: Asked) -> Answered:
        behind, before = [await afresh(way, asked) for way in (long_way, hot_way)]
        assert before.same() == behind.same(), asked
        return before

    yield compare
    await redis_clients.close_async()


@pytest.mark.parametrize("language", [(), (ZH,), (EN,)], ids=["none", "zh", "en"])
async def test_bodies(pair: Pair, language: tuple[tuple[bytes, bytes], ...]) -> None:
    for nth, body in enumerate(BODIES.values()):
        size = (b"content-length", str(len(body)).encode())
        await pair(post(body, size, *language, who=f"acc_{nth}"))
        await pair(post(body, size, *language, path=ORDERS))


async def test_headers(pair: Pair) -> None:
    accounts._revoked.add("ended")
    for name, made in HEADERS.items():
        given = made()
        await pair(Asked("GET", NUMBERS, given, query=b"limit=3&batch=x"))
        await pair(Asked("POST", HOLDS, given, (b"{}",)))
        await pair(Asked("POST", ORDERS, (*given, (b"idempotency-key", b"a long key")), (ORDER,)))
        answer = await pair(Asked("POST", HOLDS, given, (GOOD,)))
        assert answer.status == REFUSED.get(name, answer.status)


async def test_the_queue(pair: Pair) -> None:
    with writing() as session:
        queue_rules.change(session, DROP, actor="zhao", reason="test", mode="always")
    queue_rules.tick()
    queue_follow.refresh()
    accounts._revoked.add("ended")
    for made in HEADERS.values():
        for method in ("POST", "GET", "POST"):
            await pair(Asked(method, QUEUE, made()))
    joined = await pair(Asked("POST", QUEUE, (HOST, bearer("acc_wu")), (b"whatever",)))
    assert (joined.status, len(json.loads(joined.body)["ticket"]) > 8) == (200, True)
    assert b"place_round-1=" in dict(joined.headers)[b"set-cookie"]
    kept = (HOST, (b"cookie", b"sid=" + token("acc_wu") + b"; place_round-1=forged"))
    assert (await pair(Asked("GET", QUEUE, kept))).status == 200
    assert (await pair(Asked("GET", QUEUE.replace(DROP, "none"), (HOST, bearer())))).status == 404


async def test_searches(pair: Pair) -> None:
    for query in QUERIES:
        await pair(Asked("GET", NUMBERS, (HOST, bearer()), query=query))
        answer = await pair(Asked("GET", NUMBERS, (HOST,), query=query))
        assert answer.status == (400 if query in (b"limit=\xff", b"%00", b"a=\0") else answer.status)


async def test_paths_and_methods(pair: Pair) -> None:
    for path in PATHS:
        for method in ("POST", "GET"):
            await pair(Asked(method, path, (HOST, bearer()), (GOOD,)))
    for path in (HOLDS, NUMBERS, ORDERS):
        for method in ("HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "GET", "BREW", "post"):
            await pair(Asked(method, path, (HOST, bearer()), (GOOD,), query=b"batch=1"))


async def test_a_body_in_pieces(pair: Pair) -> None:
    told = [(await pair(Asked("POST", HOLDS, (HOST, bearer()), pieces))).status for pieces in PIECES]
    assert told == [201, 201, 201, 422, 413, 413, 413]
    size = (b"content-length", str(len(GOOD)).encode())
    for pieces in ((GOOD, b""), (GOOD[:5], GOOD[5:], b"")):
        assert (await pair(Asked("POST", HOLDS, (HOST, bearer(), size), pieces))).status == 201
    assert (await pair(Asked("POST", HOLDS, (HOST, bearer(), size), PIECES[4]))).status == 413


async def test_the_entrance_answers_by_itself(world: str) -> None:
    async def behind(*_: object) -> None:
        raise AssertionError("asked the app behind")

    size = (b"content-length", str(len(GOOD)).encode())
    for pieces in ((GOOD,), (GOOD, b""), (GOOD[:9], GOOD[9:])):  # granian sends the end of a body by itself
        answer = await ask(hot.Entrance(behind), Asked("POST", HOLDS, (HOST, bearer(), size), pieces))
        assert answer.status == 201
    assert (await ask(hot.Entrance(behind), Asked("GET", NUMBERS))).status == 200
    await redis_clients.close_async()


async def test_a_client_that_went_away(pair: Pair) -> None:
    await pair(Asked("POST", HOLDS, (HOST, bearer()), (GOOD[:5],), gone=True))


async def test_a_repeated_key_repeats_the_answer(pair: Pair) -> None:
    key = (b"idempotency-key", b"a key")
    first = await pair(post(GOOD, key))
    again = await pair(post(wish("18600131026"), key))
    assert (first.status, again.same()) == (201, first.same())
    assert json.loads(first.body)["hold"] == holds.new_token(DROP, "acc_li", "a key")


@pytest.mark.parametrize("language", [ZH, EN])
async def test_facts(pair: Pair, redis: Redis, language: tuple[bytes, bytes]) -> None:
    async def told(who: str = "acc_li") -> tuple[int, str]:
        answer = await pair(post(GOOD, language, who=who))
        again = await pair(post(GOOD, language, who=who))
        assert again.same() == answer.same()
        return answer.status, json.loads(answer.body).get("code", "")

    mine = await held("acc_li")
    holds.claim(mine.id, account="acc_li", order_id="ord_1")
    assert await told() == (409, "limit_reached")
    rules = verbs.key(DROP, "rules")
    opened = redis.hget(rules, "opens_at")
    redis.hset(rules, "opens_at", str(clock.now_ms() + 60_000))
    assert await told("acc_wu") == (425, "not_open")
    redis.hset(rules, "opens_at", str(opened))
    with writing() as session:
        drops.pause(session, DROP, actor="zhao", reason="test")
    assert await told("acc_wu") == (409, "drop_paused")
    with writing() as session:
        drops.resume(session, DROP, actor="zhao", reason="test")
    while redis.scard(verbs.key(DROP, "free")):
        await held(f"acc_{redis.scard(verbs.key(DROP, 'free'))}")
    assert await told("acc_wu") == (409, "sold_out")
    assert (await told("acc_wang"))[0] == 201  # who has a hold finds it, sold out or not
    epoch = redis.getdel(verbs.key(DROP, "epoch"))
    assert await told("acc_wu") == (503, "stale")
    redis.set(verbs.key(DROP, "epoch"), str(epoch))
    with writing() as session:
        drops.close(session, DROP, actor="zhao", reason="test")
    assert await told("acc_wu") == (409, "drop_closed")


async def test_taken_lists_the_nearest_and_like_takes_it(pair: Pair) -> None:
    taken = await pair(post(wish(SECOND)))
    told = json.loads(taken.body)
    assert (taken.status, told["code"], told["number"]) == (409, "taken", SECOND)
    like = await pair(post(wish("", like=SECOND)))
    assert like.status == 201
    assert json.loads(like.body)["number"] in {near["number"] for near in told["alternatives"]}
    assert (await pair(post(wish(SECOND), who="acc_wang"))).status == 201  # Wang's own


async def test_redis_away(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAOKA_REDIS_URL", "unix:///nowhere/redis.sock")
    settings.cache_clear()
    redis_clients.forget()
    try:
        for _ in range(3):
            answer = await pair(post(GOOD))
            assert (answer.status, dict(answer.headers)[b"retry-after"]) == (503, b"2")
    finally:
        await redis_clients.close_async()
        redis_clients.forget()
        monkeypatch.undo()
        settings.cache_clear()


async def test_behind_https(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAOKA_PUBLIC_URL", "https://testserver")
    settings.cache_clear()
    try:
        good = await pair(post(GOOD))
        cookie = (HOST, (b"cookie", b"__Host-sid=" + token()))
        assert (await pair(Asked("POST", HOLDS, cookie, (GOOD,)))).status == 201
    finally:
        monkeypatch.undo()
        settings.cache_clear()
    assert b"strict-transport-security" in dict(good.headers)


async def test_a_fault_of_ours_is_told_and_logged(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(holds, "new_token", broken)
    answer = await pair(post(GOOD))
    assert (answer.status, json.loads(answer.body)["code"]) == (500, "internal")


async def test_both_count_alike(world: str) -> None:
    def counted() -> list[float | None]:
        known = metrics.registry.get_sample_value
        labels = [{"route": "hold_number", "status": status} for status in ("201", "401", "422")]
        return [known("haoka_requests_total", one) for one in labels] + [
            known("haoka_request_seconds_count", {"route": name})
            for name in ("hold_number", "search_numbers")
        ]

    told = []
    for way in (False, True):
        metrics._answers.clear()
        for asked in (
            *(post(GOOD), post(b"{}"), Asked("POST", HOLDS, (HOST,), (GOOD,))),
            *(Asked("GET", NUMBERS), Asked("GET", HOLDS)),
        ):
            await ask(app.create(hot=way), asked)
        told.append(counted())
    await redis_clients.close_async()
    assert told[0] == told[1] == [1, 1, 1, 4, 1]


async def test_a_search_through_the_entrance_reaches_the_shelf(pair: Pair) -> None:
    answer = await pair(Asked("GET", NUMBERS, (HOST,), query=b"limit=2"))
    assert (answer.status, len(json.loads(answer.body)["numbers"])) == (200, 2)
