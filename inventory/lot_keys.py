"""The keys of a lot as the audit reads them: how to scan each, how to ask for names in it, what the journal says."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from inventory.replaying import Played, Replay

_SCAN = 2_000  # fields a call: a few milliseconds of Redis's time

Said = str | None  # what there is under a name, in words that can be compared; None: nothing


class _Record(msgspec.Struct, gc=False):
    """What a hold's or an order's record says."""

    number: str
    state: str
    sku: str
    account: str
    person: str


@dataclass(frozen=True)
class Key:
    """A key of the lot: how to scan it, how to ask for some names of it, and what the journal says of them all."""

    name: str
    scan: Callable[[Any, str], Iterable[tuple[str, Said]]]
    ask: Callable[[Any, str, list[str]], object]  # queues one command in the transaction
    told: Callable[[Any], list[Said]]  # its answer -> what there is under each name
    expected: Callable[[Replay], dict[str, str]]
    text: Callable[[str, Said, Said], str]  # name, found, said


def _hash(client: Any, key: str) -> Iterator[tuple[str, str]]:
    return cast(Iterator[tuple[str, str]], client.hscan_iter(key, count=_SCAN))


def _hmget(pipe: Any, key: str, names: list[str]) -> object:
    return pipe.hmget(key, names)


def _values(answer: list[str | None]) -> list[Said]:
    return answer


def _numbers(answer: list[str | None]) -> list[Said]:
    return [count if count and int(count) else None for count in answer]


def _set(client: Any, key: str) -> Iterator[tuple[str, str]]:
    return ((name, "") for name in client.sscan_iter(key, count=_SCAN))


def _smismember(pipe: Any, key: str, names: list[str]) -> object:
    return pipe.smismember(key, names)


def _members(answer: list[int]) -> list[Said]:
    return ["" if one else None for one in answer]


def _sorted_set(client: Any, key: str) -> Iterator[tuple[str, str]]:
    return ((name, "") for name, _ in client.zscan_iter(key, count=_SCAN))


def _zmscore(pipe: Any, key: str, names: list[str]) -> object:
    return pipe.zmscore(key, names)


def _scores(answer: list[float | None]) -> list[Said]:
    return [None if one is None else "" for one in answer]


def _counts_in(client: Any, key: str) -> Iterator[tuple[str, str]]:
    return ((who, count) for who, count in _hash(client, key) if who[1] == ":" and int(count))


def _hash_of_records(client: Any, key: str) -> Iterator[tuple[str, Said]]:
    return ((name, _record(raw)) for name, raw in _hash(client, key))


def _records(answer: list[str | None]) -> list[Said]:
    return [_record(raw) if raw else None for raw in answer]


def _record(raw: str) -> Said:
    """number, state, sku, account, person; a hold that was voided before it came (void.lua) is nothing."""
    told = msgspec.json.decode(raw, type=_Record)
    return _line(told) if told.number else None


def _line(one: "_Record | Played") -> str:
    return f"{one.number}\t{one.state}\t{one.sku}\t{one.account}\t{one.person}"


def _lines(of: dict[str, Played]) -> dict[str, str]:
    return {name: _line(one) for name, one in of.items()}


def _in_state(of: dict[str, Played], state: str) -> dict[str, str]:
    return {name: "" for name, one in of.items() if one.state == state}


def _free(number: str, found: Said, _said: Said) -> str:
    return f"number {number}: {'not free' if found is None else 'free'} in Redis, the journal differs"


def _differs(what: str) -> Callable[[str, Said, Said], str]:
    def text(name: str, found: Said, said: Said) -> str:
        there, told = ("nothing" if one is None else " ".join(one.split()) for one in (found, said))
        return f"{what} {name}: {there} in Redis, {told} in the journal"

    return text


KEYS = (
    Key(
        "free", _set, _smismember, _members,
        lambda replay: {number: "" for number, owner in replay.owner.items() if not owner}, _free,
    ),
    Key(
        "owner", _hash, _hmget, _values,
        lambda replay: {number: owner for number, owner in replay.owner.items() if owner}, _differs("number"),
    ),
    Key(
        "holds", _hash_of_records, _hmget, _records,
        lambda replay: _lines(replay.holds), _differs("hold"),
    ),
    Key(
        "orders", _hash_of_records, _hmget, _records,
        lambda replay: _lines(replay.orders), _differs("order"),
    ),
    Key(
        "due", _sorted_set, _zmscore, _scores, lambda replay: _in_state(replay.holds, "held"),
        lambda name, _found, _said: f"hold {name}: its expiry differs from the journal",
    ),
    Key(
        "unpaid", _sorted_set, _zmscore, _scores, lambda replay: _in_state(replay.orders, "ordered"),
        lambda name, _found, _said: f"order {name}: its place among the unpaid differs from the journal",
    ),
)  # fmt: skip
LIMITS = (
    Key("live", _hash, _hmget, _values, Replay.live, _differs("live hold of account")),
    Key(
        "used", _counts_in, _hmget, _numbers,
        lambda replay: {who: str(count) for who, count in replay.limits().items()}, _differs("limit"),
    ),
)  # fmt: skip
