"""Repair: of what the audit found, that is closed which is safe to close, and only in the one safe direction.

Redis is brought back to its journal, and the journal to what SQL knows of orders, by the same verbs as ever or by
mend.lua, each of which looks once more and changes nothing where things have moved. Money is never touched, no number
of a live order is ever freed, and where two have one number a person must decide."""

from collections.abc import Callable
from dataclasses import dataclass

from checkout.audit import AuditReport, audit
from checkout.remedies import Remedy as Remedy
from checkout.remedies import remedies as remedies
from runtime.crash import point
from runtime.log import log

_ROUNDS = 5  # one thing mended may let another be
Say = Callable[[str], None]


@dataclass(frozen=True)
class RepairReport:
    """Each step that was done, what was refused and why, and the audit after it."""

    steps: list[str]
    refused: list[Remedy]
    after: AuditReport


def repair(drop_id: str, say: Say = lambda _: None) -> RepairReport:
    """Close what is safe to close, telling each step to `say`. Run again it finds nothing to do.

    Raises NotFound, Stale, Unavailable."""
    steps: list[str] = []
    for _ in range(_ROUNDS):
        report = audit(drop_id)
        chosen = remedies(drop_id, report)
        done = [f"{one.difference.text}: {one.words}" for one in chosen if one.act and one.act()]
        point("audit.mended")
        for step in done:
            say(step)
            log.warning("audit.repaired", drop=drop_id, step=step)
        steps += done
        if not done:
            break
    else:
        report = audit(drop_id)
        chosen = remedies(drop_id, report)
    return RepairReport(steps, [one for one in chosen if one.act is None], report)
