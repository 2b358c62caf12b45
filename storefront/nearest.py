"""What to offer instead of a number that is gone: looked up once for the crowd that wants it at the same moment."""

import random
import time

from inventory import shelf
from inventory.shelf import ShelfNumber

SHOWN = 6
_CROWD = 24  # numbers near it, among which a crowd is spread
_KEPT = 0.1  # seconds
_NUMBERS = 256  # so many wished numbers are kept at most

_found: dict[tuple[str, str], tuple[float, list[ShelfNumber]]] = {}


def alternatives(drop: str, number: str) -> list[ShelfNumber]:
    """Free numbers most like this one, best first. Who asks first gets the very nearest; who asks for the same number
    within a tenth of a second gets some of the nearest, or all would fall upon the same six. Raises NotFound."""
    at = time.monotonic()
    kept = _found.get((drop, number))
    if kept is None or at - kept[0] > _KEPT:
        if len(_found) >= _NUMBERS:
            _found.clear()
        near = shelf.similar(drop, number, _CROWD)
        _found[drop, number] = at, near
        return near[:SHOWN]
    near = kept[1]
    return [near[place] for place in sorted(random.sample(range(len(near)), min(SHOWN, len(near))))]
