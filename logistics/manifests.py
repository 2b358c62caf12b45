"""Manifests: cut by courier and wave, sealed once, pulled, acknowledged, closed."""

import hashlib
import json
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session, aliased

from logistics import manifest_body, warehouse
from logistics.models import Courier, Manifest, ManifestLine, Parcel, Receipt, SealBroken
from logistics.parcels import FINAL
from runtime import clock
from runtime.bulk import insert_new
from runtime.crash import point
from runtime.crypto import seal, unseal
from runtime.db import reading, writing
from runtime.facts import NotFound
from runtime.ids import derived_id, new_id
from runtime.log import log

MOVES: dict[str, frozenset[str]] = {
    "open": frozenset({"sealed"}),
    "sealed": frozenset({"pulled", "acknowledged"}),  # a receipt may come from a machine that lost its cursor
    "pulled": frozenset({"acknowledged"}),
    "acknowledged": frozenset({"closed"}),
    "closed": frozenset(),
}
WAVE = 500  # lines in one manifest


def tick() -> int:
    """Cut what waits for every courier and close what is done; how many manifests were cut."""
    cut_now = 0
    with reading() as session:
        waiting = session.scalars(select(Parcel.courier).where(_waits()).distinct()).all()
    for courier in sorted(waiting):
        while True:
            with writing() as session:
                manifest = cut(session, courier)
                point("manifest.sealed")
            if manifest is None:
                break
            log.info("manifest.cut", manifest=manifest.number, lines=manifest.line_count)
            cut_now += 1
    with writing() as session:
        close_finished(session)
    return cut_now


def _waits() -> Any:
    recalled = Parcel.recall_requested_at.is_not(None) & Parcel.recall_manifest_id.is_(None)
    return or_(Parcel.state == "created", recalled & Parcel.state.not_in(FINAL))


def cut(session: Session, courier_code: str) -> Manifest | None:
    """Cut one wave for a courier, at most WAVE parcels and WAVE tombstones; None when nothing waits.

    Two cutters at once: each takes parcels by an UPDATE that holds only while they are untaken, so no parcel gets
    into two manifests; numbers and positions are decided by their unique indexes."""
    courier = session.get(Courier, courier_code)
    if courier is None:
        raise NotFound(courier=courier_code)
    manifest_id, at = new_id("man"), clock.now()
    fresh = _take(
        session,
        (Parcel.courier == courier_code) & (Parcel.state == "created"),
        {"state": "manifested", "manifest_id": manifest_id, "changed_at": at},
    )
    recalled = _take(
        session,
        (Parcel.courier == courier_code)
        & Parcel.recall_requested_at.is_not(None)
        & Parcel.recall_manifest_id.is_(None)
        & Parcel.state.not_in(FINAL),
        {"recall_manifest_id": manifest_id},
    )
    if not fresh and not recalled:
        return None
    manifest = _open(session, manifest_id, courier_code)
    sender = warehouse.sender(session)
    lines = [manifest_body.normal_line(_line_id(p, "normal"), p, sender) for p in fresh]
    lines += [
        manifest_body.cancelled_line(_line_id(p, "cancelled"), p, _line_id(p, "normal")) for p in recalled
    ]
    for kind, group in (("normal", fresh), ("cancelled", recalled)):
        for p in group:
            line_id = _line_id(p, kind)
            session.add(
                ManifestLine(
                    id=line_id, manifest_id=manifest_id, parcel_id=p.id, order_id=p.order_id, kind=kind
                )
            )
    _seal(session, manifest, manifest_body.document(manifest.number, courier, manifest.sealed_at, lines))
    return manifest


def _take(session: Session, waiting: Any, values: dict[str, Any]) -> list[Parcel]:
    """Claim up to WAVE waiting parcels, oldest first; gives those this transaction really won.

    SKIP LOCKED keeps two cutters on PostgreSQL from waiting for each other; the second look at `waiting` inside the
    UPDATE is what decides."""
    oldest = select(Parcel.id).where(waiting).order_by(Parcel.created_at, Parcel.id).limit(WAVE)
    candidates = session.scalars(oldest.with_for_update(skip_locked=True)).all()
    won = session.scalars(
        update(Parcel)
        .where(Parcel.id.in_(candidates), waiting)
        .values(values)
        .returning(Parcel.id)
        .execution_options(synchronize_session=False)
    ).all()
    taken = select(Parcel).where(Parcel.id.in_(won)).order_by(Parcel.created_at, Parcel.id)
    return list(session.scalars(taken.execution_options(populate_existing=True)))


def _line_id(parcel: Parcel, kind: str) -> str:
    """A parcel's line has one id for ever, whichever manifest it came in and however often that is pulled."""
    return derived_id("lin", parcel.id, kind)


def _open(session: Session, manifest_id: str, courier: str) -> Manifest:
    """A new open manifest with the courier's next position and its next number of the Shanghai day.

    Another cutter's uncommitted row makes our INSERT wait, then do nothing, and we take the number after it. So a
    position becomes visible only after all before it, and a cursor never steps over a manifest still being cut."""
    at = clock.now()
    prefix = f"{courier}-{clock.shanghai_date(at):%Y%m%d}-"
    while True:
        last = session.scalar(select(func.max(Manifest.position)).where(Manifest.courier == courier)) or 0
        today = session.scalar(
            select(func.count())
            .select_from(Manifest)
            .where(Manifest.number.startswith(prefix, autoescape=True))
        )
        row = {
            "id": manifest_id,
            "number": f"{prefix}{(today or 0) + 1:04d}",
            "courier": courier,
            "position": last + 1,
            "state": "open",
            "line_count": 0,
            "cod_total_fen": 0,
            "sha256": "",
            "sealed_at": at,
        }
        if insert_new(session, Manifest, [row]):
            return session.get_one(Manifest, manifest_id)


def _seal(session: Session, manifest: Manifest, content: dict[str, Any]) -> None:
    """Write the body, once: the UPDATE holds only while the manifest is open."""
    body = manifest_body.canonical(content)
    sealed = session.scalars(
        update(Manifest)
        .where(Manifest.id == manifest.id, Manifest.state == "open")
        .values(
            state="sealed",
            line_count=content["line_count"],
            cod_total_fen=content["cod_total_fen"],
            sha256=hashlib.sha256(body).hexdigest(),
            body=seal(body, _place(manifest)),
        )
        .returning(Manifest.id)
        .execution_options(synchronize_session=False, sealing=True)
    ).all()
    if not sealed:
        raise SealBroken(f"{manifest.number} was sealed before")
    session.refresh(manifest)


def _place(manifest: Manifest) -> str:
    return f"manifests.body.{manifest.number}"


def body(manifest: Manifest) -> bytes:
    """The canonical JSON that was sealed, proven by its seal and its SHA-256; raises SealBroken."""
    plain = unseal(manifest.body or b"", _place(manifest))
    if hashlib.sha256(plain).hexdigest() != manifest.sha256:
        raise SealBroken(f"{manifest.number} is not what was sealed")
    return plain


def csv_of(manifest: Manifest) -> bytes:
    return manifest_body.as_csv(json.loads(body(manifest)))


def find(session: Session, number: str, courier: str | None = None) -> Manifest:
    """The manifest of that number; raises NotFound, also when it is another courier's than `courier`."""
    known = number.isascii() and number.isprintable()
    manifest = session.scalar(select(Manifest).where(Manifest.number == number)) if known else None
    if manifest is None or manifest.state == "open" or courier not in (None, manifest.courier):
        raise NotFound(manifest=number)
    return manifest


def after(session: Session, courier: str, position: int, limit: int) -> list[Manifest]:
    """A courier's sealed manifests behind a position, oldest first."""
    wanted = select(Manifest).where(Manifest.courier == courier, Manifest.position > position)
    return list(session.scalars(wanted.order_by(Manifest.position).limit(limit)))


def mark_pulled(session: Session, manifest_id: str) -> None:
    """Fetched for the first time; later fetches change nothing."""
    _move(session, "pulled", Manifest.id == manifest_id, pulled_at=clock.now())


def mark_acknowledged(session: Session, manifest: Manifest) -> None:
    """Acknowledged once every line has an answer; until then nothing changes."""
    open_lines = (
        select(ManifestLine.id)
        .where(ManifestLine.manifest_id == manifest.id)
        .where(~select(Receipt.line_id).where(Receipt.line_id == ManifestLine.id).exists())
    )
    _move(
        session,
        "acknowledged",
        (Manifest.id == manifest.id) & ~open_lines.exists(),
        acknowledged_at=clock.now(),
    )
    session.refresh(manifest)


def close_finished(session: Session) -> list[str]:
    """Close acknowledged manifests whose parcels have all come to an end; gives their ids."""
    parcel = aliased(Parcel)
    unfinished = (
        select(ManifestLine.id)
        .join(parcel, parcel.id == ManifestLine.parcel_id)
        .where(ManifestLine.manifest_id == Manifest.id, parcel.state.not_in(FINAL))
    )
    return _move(session, "closed", ~unfinished.exists(), closed_at=clock.now())


def _move(session: Session, to: str, where: Any, **stamp: Any) -> list[str]:
    froms = [state for state, nexts in MOVES.items() if to in nexts]
    return list(
        session.scalars(
            update(Manifest)
            .where(Manifest.state.in_(froms), where)
            .values(state=to, **stamp)
            .returning(Manifest.id)
            .execution_options(synchronize_session=False)
        )
    )
