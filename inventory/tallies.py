"""Where the units of a drop are, counted by the verbs themselves."""

from dataclasses import dataclass, field
from typing import cast

from inventory import verbs
from runtime.redis import asking

_PLACES = ("loaded", "free", "held", "ordered", "paid", "withdrawn")


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


def tally(drop_id: str) -> Tally:
    """The counts of Redis at this instant; zeros where the drop is not loaded."""
    with asking() as client:
        counts = cast(dict[str, str], client.hgetall(verbs.key(drop_id, "tally")))

    def tallied(suffix: str, by_sku: dict[str, Tally]) -> Tally:
        return Tally(**{name: int(counts.get(name + suffix, 0)) for name in _PLACES}, skus=by_sku)

    wares = sorted(name.partition(":")[2] for name in counts if name.startswith("loaded:"))
    return tallied("", {sku: tallied(f":{sku}", {}) for sku in wares})
