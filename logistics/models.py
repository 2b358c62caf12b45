"""Tables of the logistics desk: couriers, parcels, manifests and their lines, receipts, scans, partners."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    UniqueConstraint,
    event,
)
from sqlalchemy.orm import Mapped, Mapper, ORMExecuteState, Session, mapped_column, relationship
from sqlalchemy.orm.attributes import get_history

from runtime import clock
from runtime.db import Base, SealedText, UtcDateTime


class Courier(Base):
    """A courier company and where it delivers."""

    __tablename__ = "couriers"
    code: Mapped[str] = mapped_column(String(8), primary_key=True)
    name_zh: Mapped[str] = mapped_column(String(40))
    name_en: Mapped[str] = mapped_column(String(40))
    areas: Mapped[list[str]] = mapped_column(JSON)  # GB/T 2260 prefixes; "" is the whole country
    cod: Mapped[bool]
    priority: Mapped[int]  # higher is asked first
    active: Mapped[bool]


class Warehouse(Base):
    """Where parcels come from: the sender on every manifest."""

    __tablename__ = "warehouses"
    code: Mapped[str] = mapped_column(String(16), primary_key=True)
    company: Mapped[str] = mapped_column(String(80))
    name: Mapped[str] = mapped_column(String(40))
    mobile: Mapped[str] = mapped_column(String(20))
    province: Mapped[str] = mapped_column(String(40))
    city: Mapped[str] = mapped_column(String(40))
    district: Mapped[str] = mapped_column(String(40))
    address: Mapped[str] = mapped_column(String(200))


class Parcel(Base):
    """One attempt to bring one order to its receiver. A copy of just what the courier needs."""

    __tablename__ = "parcels"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    order_id: Mapped[str] = mapped_column(String(40), index=True)
    attempt: Mapped[int]
    # The order while this parcel holds its place, else null: the unique index refuses a second live parcel.
    live_order_id: Mapped[str | None] = mapped_column(String(40), unique=True)
    courier: Mapped[str] = mapped_column(ForeignKey("couriers.code"))
    state: Mapped[str] = mapped_column(String(24))
    receiver_name: Mapped[str] = mapped_column(SealedText("parcels.receiver_name"))
    receiver_mobile: Mapped[str] = mapped_column(SealedText("parcels.receiver_mobile"))
    receiver_address: Mapped[str] = mapped_column(SealedText("parcels.receiver_address"))
    province: Mapped[str] = mapped_column(String(40))
    city: Mapped[str] = mapped_column(String(40))
    city_code: Mapped[str] = mapped_column(String(6))
    district: Mapped[str] = mapped_column(String(40))
    goods: Mapped[str] = mapped_column(String(80))
    cod_fen: Mapped[int] = mapped_column(BigInteger)
    insured_fen: Mapped[int] = mapped_column(BigInteger)
    sign_back: Mapped[bool]
    id_holder: Mapped[str] = mapped_column(String(40))  # masked name
    id_last4: Mapped[str] = mapped_column(String(4))
    waybill: Mapped[str | None] = mapped_column(String(40))
    manifest_id: Mapped[str | None] = mapped_column(String(40), index=True)
    recall_requested_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    recall_manifest_id: Mapped[str | None] = mapped_column(String(40))
    door_digest: Mapped[str | None] = mapped_column(String(64))
    door_tries: Mapped[int]  # wrong or right, since the code was made
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    scans: Mapped[list["Scan"]] = relationship(order_by="Scan.id", viewonly=True)

    __table_args__ = (
        UniqueConstraint("order_id", "attempt"),
        Index("ix_parcels_courier_state", "courier", "state"),
    )


class Manifest(Base):
    """A courier's dispatch list. Once sealed, its body and all that names it never change."""

    __tablename__ = "manifests"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    number: Mapped[str] = mapped_column(String(32), unique=True)
    courier: Mapped[str] = mapped_column(ForeignKey("couriers.code"))
    position: Mapped[int]  # 1, 2, 3 .. for each courier without a gap: what the cursor points at
    state: Mapped[str] = mapped_column(String(16))
    line_count: Mapped[int]
    cod_total_fen: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    body: Mapped[bytes | None] = mapped_column(LargeBinary)  # sealed canonical JSON
    sealed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    pulled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    acknowledged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (UniqueConstraint("courier", "position"),)


class ManifestLine(Base):
    """One line of a manifest; the unique index keeps a parcel out of a second manifest."""

    __tablename__ = "manifest_lines"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    manifest_id: Mapped[str] = mapped_column(ForeignKey("manifests.id"), index=True)
    parcel_id: Mapped[str] = mapped_column(ForeignKey("parcels.id"))
    order_id: Mapped[str] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(12))  # normal, cancelled

    __table_args__ = (UniqueConstraint("parcel_id", "kind"),)


class Receipt(Base):
    """A courier's answer to one manifest line."""

    __tablename__ = "receipts"
    line_id: Mapped[str] = mapped_column(ForeignKey("manifest_lines.id"), primary_key=True)
    courier: Mapped[str] = mapped_column(ForeignKey("couriers.code"))
    result: Mapped[str] = mapped_column(String(12))  # accepted, rejected
    waybill: Mapped[str | None] = mapped_column(String(40))
    reason: Mapped[str] = mapped_column(String(200))
    client_id: Mapped[str] = mapped_column(String(40))
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (UniqueConstraint("courier", "waybill"),)


class Scan(Base):
    """Something a courier saw happen to a parcel. `at` is the courier's word, `id` is our order of arrival."""

    __tablename__ = "scans"
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    courier: Mapped[str] = mapped_column(ForeignKey("couriers.code"))
    event_id: Mapped[str] = mapped_column(String(80))
    parcel_id: Mapped[str] = mapped_column(ForeignKey("parcels.id"), index=True)
    order_id: Mapped[str] = mapped_column(String(40))
    status: Mapped[str] = mapped_column(String(24))  # as the courier said it
    state: Mapped[str] = mapped_column(String(24))  # as we took it: a delivery without the code is unverified
    moved: Mapped[bool]  # did it move the parcel? only then it is news
    door: Mapped[str | None] = mapped_column(String(12))  # checked, wrong_code, no_code, burnt, none_made
    place: Mapped[str] = mapped_column(String(80))
    note: Mapped[str] = mapped_column(SealedText("scans.note"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    taken_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when checkout claimed the news

    __table_args__ = (UniqueConstraint("courier", "event_id"), Index("ix_scans_news", "moved", "taken_at"))


class Partner(Base):
    """A courier's machine: OAuth2 client credentials, with the secret before the last rotation still alive."""

    __tablename__ = "partners"
    client_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    courier: Mapped[str] = mapped_column(ForeignKey("couriers.code"))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    secret_hash: Mapped[str] = mapped_column(String(64))
    previous_hash: Mapped[str | None] = mapped_column(String(64))
    active: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    rotated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class PartnerToken(Base):
    """A bearer token, known by its SHA-256 only."""

    __tablename__ = "partner_tokens"
    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("partners.client_id"), index=True)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SealBroken(Exception):
    """Code tried to change a sealed manifest, or its stored body is not what was sealed."""


_SEALED = frozenset(
    {"id", "number", "courier", "position", "line_count", "cod_total_fen", "sha256", "body", "sealed_at"}
)


@event.listens_for(Manifest, "before_update")
def _keep_sealed(_mapper: Mapper[Any], _connection: object, manifest: Manifest) -> None:
    """The ORM's own updates: what is sealed is refused at flush."""
    if changed := sorted(name for name in _SEALED if get_history(manifest, name).has_changes()):
        raise SealBroken(f"a sealed manifest is immutable: {', '.join(changed)}")


@event.listens_for(Session, "do_orm_execute")
def _keep_sealed_in_bulk(run: ORMExecuteState) -> None:
    """UPDATE and DELETE statements: only manifests.cut() may write a body, and only into an open manifest."""
    if not (run.is_update or run.is_delete) or run.bind_mapper is not Manifest.__mapper__:
        return
    if run.is_delete:
        raise SealBroken("a manifest is never deleted")
    statement: Any = run.statement
    written = set(statement.compile().params)
    if written & _SEALED and not run.execution_options.get("sealing"):
        raise SealBroken(f"a sealed manifest is immutable: {', '.join(sorted(written & _SEALED))}")
