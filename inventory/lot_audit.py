"""One lot of a drop: its journal is played again, and every key of the lot must say what the journal says.

A lot may be busy while it is read. What differs at the first reading is read again in one transaction with the id of
the journal's newest entry, and compared with the journal played to exactly there: what still differs is wrong."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

from inventory import journal, tallies, verbs
from inventory.differences import Difference
from inventory.journal import Trimmed
from inventory.lot_keys import KEYS, LIMITS, Key
from inventory.replaying import Replay
from inventory.tallies import Tally
from runtime.redis import asking

_ATOMIC = 500  # names asked for in one transaction
_COUNTERS = ("tally", "used")


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
    for key in (*KEYS, *(LIMITS if limits else ())):
        suspects = _suspects(lot, key)
        for start in range(0, len(suspects), _ATOMIC):
            yield from _differing(lot, key, suspects[start : start + _ATOMIC])


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


def _suspects(lot: Lot, key: Key) -> list[str]:
    """Names at which the key and the journal differ at a first look, which may be one at something moving."""
    expected = key.expected(lot.replay)
    suspects: set[str] = set()
    with asking() as client:
        for name, found in key.scan(client, verbs.key(lot.drop, key.name, lot.number)):
            if expected.pop(name, None) != found:
                suspects.add(name)
    return sorted(suspects | expected.keys())


def _differing(lot: Lot, key: Key, names: list[str]) -> Iterator[Difference]:
    """Those of the names at which they differ at one and the same moment."""
    with asking() as client, client.pipeline(transaction=True) as pipe:
        key.ask(pipe, verbs.key(lot.drop, key.name, lot.number), names)
        pipe.hget(verbs.key(lot.drop, "tally", lot.number), "mends")
        pipe.xrevrange(verbs.key(lot.drop, "journal", lot.number), count=1)
        answer, mends, newest = pipe.execute()
    catch_up(lot, newest[0][0] if newest else "")
    expected = key.expected(lot.replay)
    for name, found in zip(names, key.told(answer), strict=True):
        said = expected.get(name)
        if found != said:
            text = key.text(name, found, said)
            yield Difference(text, key.name, name, lot.number, said, found, int(mends or 0))
