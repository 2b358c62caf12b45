"""One lot of a drop: its journal is played again, and every key of the lot must say what the journal says.

A lot may be busy while it is read. What differs at the first reading is read again in one transaction with the id of
the journal's newest entry, and compared with the journal played to exactly there: what still differs is wrong."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

from inventory import journal, tallies, verbs
from inventory.differences import Difference
from inventory.journal import Trimmed
from inventory.replaying import Played, Replay
from inventory.tallies import Tally
from runtime.redis import asking

_SCAN = 2_000  # fields a call: a few milliseconds of Redis's time
_ATOMIC = 500  # names asked for in one transaction
_COUNTERS = ("tally", "used")

Said = str | None  # what there is under a name, in words that can be compared; None: nothing


class _Record(msgspec.Struct, gc=False):
    """What a hold's or an order's record says."""

    number: str
    state: str
    sku: str
    account: str
    person: str


@dataclass
class Lot:
    """A lot that is being audited. `present`: Redis has it."""

    drop: str
    number: int
    present: bool
    replay: Replay = field(default_factory=Replay)
    found: list[Difference] = field(default_factory=list)


def read(drop_id: str, lot: int, present: bool) -> Lot:
    """Play what there is of the lot's journal."""
    made = Lot(drop_id, lot, present)
    if present:
        catch_up(made)
    else:
        for entries in journal.raw_archived(drop_id, lot):
            made.replay.play(entries)
    return made


def catch_up(lot: Lot, upto: str = "") -> None:
    """Play on to the journal's end, or to that entry: first from the archive what the stream has no more."""
    replay = lot.replay
    if not replay.last_id:
        _from_archive(lot)
    while True:
        try:
            for entries in journal.raw(lot.drop, replay.last_id, lot.number, upto):
                replay.play(entries)
            return
        except Trimmed as cut:
            before = replay.last_id
            _from_archive(lot)
            if replay.last_id == before:
                text = f"journal: cut up to {cut.upto}, but the archive ends at {before or 'nothing'}"
                replay.differences.append(text)
                replay.last_id = cut.upto


def _from_archive(lot: Lot) -> None:
    for entries in journal.raw_archived(lot.drop, lot.number, lot.replay.last_id):
        lot.replay.play(entries)


def compare(lot: Lot, *, limits: bool) -> Iterator[Difference]:
    """Every key of the lot with its journal. `limits`: those of accounts and persons are kept in this lot too."""
    for one in _differences(lot, limits):
        yield dataclasses.replace(one, kind="doubted") if _doubted(lot, one) else one


def _doubted(lot: Lot, one: Difference) -> bool:
    """Does the journal contradict itself about this? Then nobody can say from it how it must be."""
    doubted = lot.replay.doubted
    number = (one.said or one.found or "").partition("\t")[0]
    return bool(doubted) and (one.kind in _COUNTERS or one.about in doubted or number in doubted)


def _differences(lot: Lot, limits: bool) -> Iterator[Difference]:
    yield from _entries(lot)
    yield from _tally(lot)
    for kind in (*_KINDS, *(_LIMITS if limits else ())):
        suspects = kind.suspects(lot)
        for start in range(0, len(suspects), _ATOMIC):
            yield from kind.differing(lot, suspects[start : start + _ATOMIC])


def _entries(lot: Lot) -> Iterator[Difference]:
    """The stream counts all it was ever given: archive and stream together have them all."""
    with asking() as client:
        info = client.xinfo_stream(verbs.key(lot.drop, "journal", lot.number))
    catch_up(lot, str(info["last-generated-id"]))
    added = int(info["entries-added"])
    if added != lot.replay.written:
        yield Difference(f"journal: {lot.replay.written} entries found, the verbs have written {added}")


def _tally(lot: Lot) -> Iterator[Difference]:
    """Read in one transaction with the place in the journal, so a busy drop can be compared too."""
    with asking() as client, client.pipeline(transaction=True) as pipe:
        pipe.hgetall(verbs.key(lot.drop, "tally", lot.number))
        pipe.xrevrange(verbs.key(lot.drop, "journal", lot.number), count=1)
        raw, newest = cast(tuple[dict[str, str], list[journal.Entry]], pipe.execute())
    catch_up(lot, newest[0][0] if newest else "")
    counted, expected, mends = _told(raw), lot.replay.tally(), int(raw.get("mends", 0))
    yield from _counts(lot, "", expected, counted, mends)
    for sku in sorted(expected.skus.keys() | counted.skus.keys()):
        yield from _counts(lot, sku, expected.skus.get(sku, Tally()), counted.skus.get(sku, Tally()), mends)


def _told(raw: dict[str, str]) -> Tally:
    def of(sku: str) -> Tally:
        return tallies.counted({place: int(raw.get(place + sku, 0)) for place in tallies.PLACES}, {})

    skus = sorted(name.removeprefix("loaded:") for name in raw if name.startswith("loaded:"))
    return dataclasses.replace(of(""), skus={sku: of(f":{sku}") for sku in skus})


def _counts(lot: Lot, sku: str, expected: Tally, counted: Tally, mends: int) -> Iterator[Difference]:
    what = f"tally of {sku}" if sku else "tally"
    for place in tallies.PLACES:
        said, found = getattr(expected, place), getattr(counted, place)
        if said != found:
            about = f"{place}:{sku}" if sku else place
            text = f"{what}: {place} {found}, the journal says {said}"
            yield Difference(text, "tally", about, lot.number, str(said), str(found), mends)
    if counted == expected and counted.loaded != sum(getattr(counted, p) for p in tallies.PLACES[1:]):
        yield Difference(f"{what}: the equation does not hold")


@dataclass(frozen=True)
class _Kind:
    """A key of the lot: how to scan it, how to ask for some names of it, and what the journal says of them all."""

    name: str
    scan: Callable[[Any, str], Iterable[tuple[str, Said]]]
    ask: Callable[[Any, str, list[str]], object]  # queues one command in the transaction
    told: Callable[[Any], list[Said]]  # its answer -> what there is under each name
    expected: Callable[[Replay], dict[str, str]]
    text: Callable[[str, Said, Said], str]  # name, found, said

    def suspects(self, lot: Lot) -> list[str]:
        """Names at which the key and the journal differ at a first look, which may be one at something moving."""
        expected = self.expected(lot.replay)
        suspects: set[str] = set()
        with asking() as client:
            for name, found in self.scan(client, verbs.key(lot.drop, self.name, lot.number)):
                if expected.pop(name, None) != found and name not in suspects:
                    suspects.add(name)
        return sorted(suspects | expected.keys())

    def differing(self, lot: Lot, names: list[str]) -> Iterator[Difference]:
        """Those of the names at which they differ at one and the same moment."""
        with asking() as client, client.pipeline(transaction=True) as pipe:
            self.ask(pipe, verbs.key(lot.drop, self.name, lot.number), names)
            pipe.hget(verbs.key(lot.drop, "tally", lot.number), "mends")
            pipe.xrevrange(verbs.key(lot.drop, "journal", lot.number), count=1)
            answer, mends, newest = pipe.execute()
        catch_up(lot, newest[0][0] if newest else "")
        expected = self.expected(lot.replay)
        for name, found in zip(names, self.told(answer), strict=True):
            said = expected.get(name)
            if found != said:
                text = self.text(name, found, said)
                yield Difference(text, self.name, name, lot.number, said, found, int(mends or 0))


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


_KINDS = (
    _Kind(
        "free", _set, _smismember, _members,
        lambda replay: {number: "" for number, owner in replay.owner.items() if not owner}, _free,
    ),
    _Kind(
        "owner", _hash, _hmget, _values,
        lambda replay: {number: owner for number, owner in replay.owner.items() if owner}, _differs("number"),
    ),
    _Kind(
        "holds", _hash_of_records, _hmget, _records,
        lambda replay: _lines(replay.holds), _differs("hold"),
    ),
    _Kind(
        "orders", _hash_of_records, _hmget, _records,
        lambda replay: _lines(replay.orders), _differs("order"),
    ),
    _Kind(
        "due", _sorted_set, _zmscore, _scores, lambda replay: _in_state(replay.holds, "held"),
        lambda name, _found, _said: f"hold {name}: its expiry differs from the journal",
    ),
    _Kind(
        "unpaid", _sorted_set, _zmscore, _scores, lambda replay: _in_state(replay.orders, "ordered"),
        lambda name, _found, _said: f"order {name}: its place among the unpaid differs from the journal",
    ),
)  # fmt: skip
_LIMITS = (
    _Kind("live", _hash, _hmget, _values, Replay.live, _differs("live hold of account")),
    _Kind(
        "used", _counts_in, _hmget, _numbers,
        lambda replay: {who: str(count) for who, count in replay.limits().items()}, _differs("limit"),
    ),
)  # fmt: skip
