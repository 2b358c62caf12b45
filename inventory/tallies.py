"""Where the units of a drop are, counted by the verbs themselves."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from inventory import verbs
from runtime.redis import asking

PLACES = ("loaded", "free", "held", "ordered", "paid", "withdrawn")


@dataclass(frozen=True)
class Tally:
    """Where a drop's units are; loaded = free + held + ordered + paid + withdrawn, for each SKU too."""

    loaded: int = 0
    free: int = 0
    held: int = 0
    ordered: int = 0
    paid: int = 0
    withdrawn: int = 0
    skus: dict[str, "Tally"] = field(default_factory=dict)


def counted(places: Mapping[str, int], skus: dict[str, Tally]) -> Tally:
    """A tally of counts by place; a place that is not named has none."""
    loaded, free, held, ordered, paid, withdrawn = (places.get(place, 0) for place in PLACES)
    return Tally(loaded, free, held, ordered, paid, withdrawn, skus)


def tally(drop_id: str) -> Tally:
    """The counts of Redis at this instant, all lots together; zeros where the drop is not loaded."""
    counts: Counter[str] = Counter()
    for lot in range(verbs.lots(drop_id)):
        with asking() as client:
            raw = cast(dict[str, str], client.hgetall(verbs.key(drop_id, "tally", lot)))
        counts.update({name: int(count) for name, count in raw.items()})
    skus = sorted(name.removeprefix("loaded:") for name in counts if name.startswith("loaded:"))
    return counted(
        counts,
        {sku: counted({place: counts.get(f"{place}:{sku}", 0) for place in PLACES}, {}) for sku in skus},
    )
