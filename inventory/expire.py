"""The clock's part: ending holds that are due in every live drop, guarded against a jump of Redis's clock."""

import time

from inventory import lots, stock, verbs
from inventory.models import Drop
from runtime.db import reading
from runtime.facts import Fact
from runtime.log import log

BATCH = 200  # holds a call: a few milliseconds of Redis's time
_MOST = 100  # calls a tick and drop

# (drop, lot) -> steady seconds, and now, seq, jumps as told then
_last: dict[tuple[str, int], tuple[float, str, str, str]] = {}


def tick() -> None:
    """Run about once a second by one process."""
    with reading() as session:
        live = session.query(Drop.id).where(Drop.state.in_(stock.LIVE), Drop.epoch.is_not(None)).all()
    for (drop_id,) in live:
        try:
            run(drop_id)
        except Fact as trouble:  # lost or unreachable: the other drops' holds end all the same
            for lot in range(verbs.lots(drop_id)):
                _last.pop((drop_id, lot), None)
            log.warning("holds.not_expired", drop=drop_id, code=trouble.code)


def run(drop_id: str) -> int:
    """End the drop's due holds; how many. A jump of the clock is an alarm in the log and ends nothing."""
    freed = sum(_run(drop_id, lot) for lot in range(verbs.lots(drop_id)))
    if verbs.lots(drop_id) > 1:
        lots.tick(drop_id)
    return freed


def _run(drop_id: str, lot: int) -> int:
    freed = 0
    for _ in range(_MOST):
        before = _last.get((drop_id, lot))
        # Taken before the call: a slow call then looks like a small jump forward, never like a large one back.
        steady = time.monotonic()
        told = (str(round((steady - before[0]) * 1000)), *before[1:]) if before else ("", "", "", "")
        word, count, *marks = verbs.call("expire", drop_id, BATCH, *told, lot=lot)
        _last[drop_id, lot] = (steady, str(marks[0]), str(marks[1]), str(marks[2]))
        if word == "jump":
            log.error("clock.jumped", drop=drop_id, lot=lot, ms=int(count))
            return freed
        freed += int(count)
        if int(count) < BATCH:
            break
    return freed
