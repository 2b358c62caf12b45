"""Receipts: a courier's answer to each line of a manifest, accepted with a waybill or rejected with a reason."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from logistics import manifests, parcels, scans
from logistics.models import Manifest, ManifestLine, Parcel, Receipt
from runtime import clock
from runtime.bulk import insert_new
from runtime.facts import N_, Fact
from runtime.log import log


class ReceiptConflict(Fact):
    """A line has another answer already; nothing of this receipt was recorded."""

    code = "receipt_conflict"
    text = N_("Some lines were answered differently before. Nothing of this receipt was recorded.")


@dataclass(frozen=True)
class Answer:
    """What the courier says to one line: result accepted (with a waybill number) or rejected (with a reason)."""

    line_id: str
    result: str
    waybill: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of one answer: recorded, repeated, unknown_line, incomplete or waybill_in_use."""

    line_id: str
    outcome: str
    reason: str = ""


def record(
    session: Session, manifest: Manifest, answers: Sequence[Answer], *, client_id: str
) -> list[Outcome]:
    """Record the answers to a manifest's lines, one outcome each in their order; the same receipt may come again.

    Answers may be spread over many receipts. A line answered differently before raises ReceiptConflict naming the
    lines: a courier that changes its mind sends a scan, not another receipt."""
    lines = _locked_lines(session, manifest)
    outcomes, conflicts = [], []
    for answer in answers:
        line = lines.get(answer.line_id)
        outcome = _refusal(line, answer)
        if line is not None and outcome is None:
            outcome = _record_line(session, manifest, line, answer, client_id)
            if outcome.outcome == "conflict":
                conflicts.append({"line_id": answer.line_id, "reason": outcome.reason})
        outcomes.append(outcome or Outcome(answer.line_id, "unknown_line"))
    if conflicts:
        raise ReceiptConflict(lines=conflicts)
    manifests.mark_acknowledged(session, manifest)
    return outcomes


def _locked_lines(session: Session, manifest: Manifest) -> dict[str, ManifestLine]:
    """The manifest's lines by id. The manifest is locked, so that of two receipts for its last two lines the second
    sees it whole; its parcels are locked in the order in which scans lock them, so neither waits in a circle."""
    session.refresh(manifest, with_for_update=True)
    found = session.scalars(select(ManifestLine).where(ManifestLine.manifest_id == manifest.id)).all()
    wanted = select(Parcel).where(Parcel.id.in_({line.parcel_id for line in found}))
    session.scalars(
        wanted.order_by(Parcel.order_id, Parcel.attempt)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    return {line.id: line for line in found}


def _refusal(line: ManifestLine | None, answer: Answer) -> Outcome | None:
    if line is None:
        return Outcome(answer.line_id, "unknown_line", N_("This manifest has no such line."))
    if answer.result == "accepted" and line.kind == "normal" and not answer.waybill:
        return Outcome(answer.line_id, "incomplete", N_("An accepted line needs its waybill_no."))
    if answer.result == "rejected" and not answer.reason:
        return Outcome(answer.line_id, "incomplete", N_("A rejected line needs a reason."))
    return None


def _record_line(
    session: Session, manifest: Manifest, line: ManifestLine, answer: Answer, client_id: str
) -> Outcome:
    """Two receipts for one line at once: the primary key lets one in, the other is compared with it."""
    # A tombstone is about a parcel that has its waybill already; a rejected line never gets one.
    waybill = answer.waybill if answer.result == "accepted" and line.kind == "normal" else None
    row = {
        "line_id": line.id,
        "courier": manifest.courier,
        "result": answer.result,
        "waybill": waybill,
        "reason": answer.reason,
        "client_id": client_id,
        "received_at": clock.now(),
    }
    if insert_new(session, Receipt, [row]):
        _apply(session, line, answer, waybill)
        return Outcome(line.id, "recorded")
    known = session.get(Receipt, line.id)
    if known is None:
        return Outcome(line.id, "waybill_in_use", N_("Another parcel has this waybill_no."))
    if (known.result, known.waybill) == (answer.result, waybill):
        return Outcome(line.id, "repeated")
    return Outcome(line.id, "conflict", f"{known.result} {known.waybill or ''}".strip())


def _apply(session: Session, line: ManifestLine, answer: Answer, waybill: str | None) -> None:
    parcel = session.get_one(Parcel, line.parcel_id)
    if line.kind == "cancelled":
        if answer.result == "accepted":
            _come_home(session, line, parcel)
    elif answer.result == "rejected" and parcel.recall_requested_at:
        _come_home(session, line, parcel)  # both sides want it back
    elif answer.result == "accepted":
        session.execute(update(Parcel).where(Parcel.id == parcel.id).values(waybill=waybill))
    else:
        log.warning("parcel.rejected", parcel=parcel.id, courier=parcel.courier)
        parcels.turn_down(session, parcel)


def _come_home(session: Session, line: ManifestLine, parcel: Parcel) -> None:
    """A parcel called back that was never handed over is still ours, which is news for the order.

    One on the road is news when its scans bring it home; a rejected tombstone means that it goes on to the door."""
    if parcel.state == "manifested":
        scans.record_own(session, parcel, event_id=f"recall:{line.id}", status="returned_to_warehouse")


def still_open(session: Session, manifest: Manifest) -> int:
    """How many lines of a manifest have no answer yet."""
    answered = (
        select(func.count())
        .select_from(Receipt)
        .join(ManifestLine, ManifestLine.id == Receipt.line_id)
        .where(ManifestLine.manifest_id == manifest.id)
    )
    return manifest.line_count - (session.scalar(answered) or 0)
