"""The clock's part: ending holds that are due in every live drop, guarded against a jump of Redis's clock."""

import time

from inventory import stock, verbs
from inventory.models import Drop
from runtime.db import reading
from runtime.facts import Fact
from runtime.log import log

BATCH = 200  # holds a call: a few milliseconds of Redis's time
_MOST = 100  # calls a tick and drop

_last: dict[str, tuple[float, str, str, str]] = {}  # drop -> steady seconds, and now, seq, jumps as told then


def tick() -> None:
    """Run about once a second by one process."""
    with reading() as session:
        live = session.query(Drop.id).where(Drop.state.in_(stock.LIVE), Drop.epoch.is_not(None)).all()
    for (drop_id,) in live:
        try:
            run(drop_id)
        except Fact as trouble:  # lost or unreachable: the other drops' holds end all the same
            _last.pop(drop_id, None)
            log.warning("holds.not_expired", drop=drop_id, code=trouble.code)


def run(drop_id: str) -> int:
    """End the drop's due holds; how many. A jump of the clock is an alarm in the log and ends nothing."""
    freed = 0
    for _ in range(_MOST):
        before = _last.get(drop_id)
        # Taken before the call: a slow call then looks like a small jump forward, never like a large one back.
        steady = time.monotonic()
        told = (str(round((steady - before[0]) * 1000)), *before[1:]) if before else ("", "", "", "")
        word, count, *marks = verbs.call("expire", drop_id, BATCH, *told)
        _last[drop_id] = (steady, str(marks[0]), str(marks[1]), str(marks[2]))
        if word == "jump":
            log.error("clock.jumped", drop=drop_id, ms=int(count))
            return freed
        freed += int(count)
        if int(count) < BATCH:
            break
    return freed
