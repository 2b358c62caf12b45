"""Tables of the inventory desk: numbers, drops and what was done to them, SIM cards and handset units."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from runtime.db import Base, UtcDateTime


class Number(Base):
    """A phone number of ours. Class, grade and tags are worked out at import, never at a query."""

    __tablename__ = "numbers"
    number: Mapped[str] = mapped_column(String(11), primary_key=True)
    city: Mapped[str] = mapped_column(String(3))  # the carrier's code, inventory/regions.py
    pool: Mapped[str] = mapped_column(String(40))
    segment7: Mapped[str] = mapped_column(String(7))
    pattern: Mapped[str] = mapped_column(String(8))
    grade: Mapped[int]  # 1 best .. 6, 9 ordinary
    prestore_fen: Mapped[int]
    min_spend_fen: Mapped[int]  # a month
    term_months: Mapped[int]
    no4: Mapped[bool]
    tags: Mapped[str] = mapped_column(String(40), default="")  # by comma: birthday, love, lucky
    state: Mapped[str] = mapped_column(String(10), default="available")  # numbers.MOVES
    drop_id: Mapped[str | None] = mapped_column(String(60))
    moved_at: Mapped[datetime] = mapped_column(UtcDateTime)  # of the last change of state

    __table_args__ = (
        Index("ix_numbers_stock", "pool", "state", "city", "grade", "number"),
        Index("ix_numbers_drop_id", "drop_id"),
    )


class NumberGrade(Base):
    """What a grade asks for, where the carrier's own table says so (patterns.GRADES has the demo's). Money in fen."""

    __tablename__ = "number_grades"

    grade: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    prestore_fen: Mapped[int]
    min_spend_fen: Mapped[int]
    term_months: Mapped[int]


class Drop(Base):
    """One timed sale. `version` counts changes Redis must hear of; `epoch` is set once the stock is loaded.

    `campaign` and `lots` never change: they decide where the drop's keys are."""

    __tablename__ = "drops"
    id: Mapped[str] = mapped_column(String(60), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    pool: Mapped[str] = mapped_column(String(40))
    cities: Mapped[list[str]] = mapped_column(JSON)
    grades: Mapped[list[int]] = mapped_column(JSON)
    opens_at: Mapped[datetime] = mapped_column(UtcDateTime)
    closes_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    limit_account: Mapped[int]
    limit_person: Mapped[int]
    hold_seconds: Mapped[int]
    pay_seconds: Mapped[int]
    quota: Mapped[int | None]
    cod: Mapped[bool]
    state: Mapped[str] = mapped_column(String(10))  # drops.MOVES
    version: Mapped[int] = mapped_column(default=0)
    epoch: Mapped[str | None] = mapped_column(String(40))
    campaign: Mapped[str | None] = mapped_column(String(60), index=True)  # limits hold over all its rounds
    lots: Mapped[int] = mapped_column(
        default=1, server_default="1"
    )  # parts of its stock, each with a hash tag
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    shadow_of: Mapped[str | None] = mapped_column(
        String(60)
    )  # a rehearsal of that drop; shoppers never see it


class DropQueue(Base):
    """How people queue for a drop, and its draw. A drop without a row has no queue.

    `epoch` is the life of its places in Redis; `published` that Redis was told of it, so that a Redis without it has
    lost it. The seed is sealed until the draw, then told."""

    __tablename__ = "drop_queues"
    drop_id: Mapped[str] = mapped_column(String(60), primary_key=True)
    mode: Mapped[str] = mapped_column(String(6))  # queue_rules.MODES
    rate: Mapped[int]  # people let in a second, at most
    cap: Mapped[int]  # people inside at once
    stay_seconds: Mapped[int]
    come_seconds: Mapped[int]  # to come in after being called
    limit_network: Mapped[int]  # places for one address range; 0: no limit
    limit_device: Mapped[int]
    limit_person: Mapped[int] = mapped_column(default=0, server_default="0")  # of one verified ID
    challenge: Mapped[int] = mapped_column(default=0, server_default="0")  # level of queue_challenge.LEVELS
    version: Mapped[int] = mapped_column(default=0)
    epoch: Mapped[str] = mapped_column(String(40))
    published: Mapped[bool] = mapped_column(default=False)
    commitment: Mapped[str] = mapped_column(String(64))
    seed_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    drawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    tickets: Mapped[int | None]
    digest: Mapped[str | None] = mapped_column(String(64))
    final_seed: Mapped[str | None] = mapped_column(String(64))


class QueuePage(Base):
    """A page of what happened in a drop's queue: gzip of one JSON line an entry of the stream, oldest first."""

    __tablename__ = "queue_journal"
    drop_id: Mapped[str] = mapped_column(String(60), primary_key=True)
    page: Mapped[int] = mapped_column(primary_key=True)
    last_id: Mapped[str] = mapped_column(String(40))
    entries: Mapped[int]
    body: Mapped[bytes] = mapped_column(LargeBinary)


class DropSku(Base):
    """How many handsets of a SKU a drop has to sell."""

    __tablename__ = "drop_skus"
    drop_id: Mapped[str] = mapped_column(String(60), primary_key=True)
    sku: Mapped[str] = mapped_column(String(60), primary_key=True)
    quantity: Mapped[int]


class DropAction(Base):
    """What somebody did to a drop, and why."""

    __tablename__ = "drop_actions"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    drop_id: Mapped[str] = mapped_column(String(60), index=True)
    action: Mapped[str] = mapped_column(String(20))
    actor: Mapped[str] = mapped_column(String(80))
    reason: Mapped[str] = mapped_column(String(400))
    before: Mapped[dict[str, Any]] = mapped_column(JSON)
    after: Mapped[dict[str, Any]] = mapped_column(JSON)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class JournalPage(Base):
    """A page of a drop's journal: gzip of one JSON line an entry of the stream, oldest first.

    `page` counts over all of the drop's lots and epochs; a lot's pages of one epoch join without a gap."""

    __tablename__ = "drop_journal"
    drop_id: Mapped[str] = mapped_column(String(60), primary_key=True)
    page: Mapped[int] = mapped_column(primary_key=True)
    lot: Mapped[int] = mapped_column(default=0, server_default="0")
    epoch: Mapped[str] = mapped_column(String(40), default="", server_default="")
    first_id: Mapped[str] = mapped_column(
        String(40), default="", server_default=""
    )  # ids of the stream's entries
    last_id: Mapped[str] = mapped_column(String(40), default="", server_default="")
    entries: Mapped[int]
    body: Mapped[bytes] = mapped_column(LargeBinary)


class HandsetUnit(Base):
    """One handset with its serial. Which unit an order gets is decided when it is packed."""

    __tablename__ = "handset_units"
    imei: Mapped[str] = mapped_column(String(15), primary_key=True)
    sku: Mapped[str] = mapped_column(String(60))
    state: Mapped[str] = mapped_column(String(10), default="available")  # available | bound | inspect
    order_id: Mapped[str | None] = mapped_column(String(40), unique=True)
    drop_id: Mapped[str | None] = mapped_column(String(60), index=True)

    __table_args__ = (Index("ix_handset_units_stock", "sku", "state", "imei"),)


class SimCard(Base):
    """One blank SIM card."""

    __tablename__ = "sim_cards"
    iccid: Mapped[str] = mapped_column(String(20), primary_key=True)
    state: Mapped[str] = mapped_column(String(10), default="available")  # available | bound | spent
    order_id: Mapped[str | None] = mapped_column(String(40), unique=True)

    __table_args__ = (Index("ix_sim_cards_stock", "state", "iccid"),)
