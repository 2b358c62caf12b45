"""The tables of the counter: what is offered, what was ordered, the money and the paper."""

from datetime import date, datetime

from sqlalchemy import JSON, Date, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from runtime.db import Base, SealedText, UtcDateTime


class CatalogueVersion(Base):
    """The catalogue as it was published: the whole of it (catalogue_shape.Catalogue), and what changed by it."""

    __tablename__ = "catalogue_versions"

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(60))
    reason: Mapped[str] = mapped_column(String(400))
    sha256: Mapped[str] = mapped_column(String(64))  # of the document, its keys sorted
    document: Mapped[dict[str, object]] = mapped_column(JSON)
    changes: Mapped[list[dict[str, object]]] = mapped_column(JSON)


class Offer(Base):
    """What a drop sells: a card on a plan, or a handset with plan and term. `terms` is prices.OfferFacts, taken
    from a version of the catalogue once and never changed."""

    __tablename__ = "offers"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    drop_id: Mapped[str] = mapped_column(String(60), index=True)
    kind: Mapped[str] = mapped_column(String(10))  # card | bundle
    position: Mapped[int] = mapped_column(default=0)
    plan_id: Mapped[str] = mapped_column(String(40))
    sku_code: Mapped[str | None] = mapped_column(String(60))
    terms: Mapped[dict[str, object]] = mapped_column(JSON)


class PreparedDetails(Base):
    """What an account prepared for its next order; sealed, since it says where somebody lives."""

    __tablename__ = "prepared_details"

    account: Mapped[str] = mapped_column(String(40), primary_key=True)
    receiver: Mapped[str] = mapped_column(
        SealedText("prepared_details.receiver")
    )  # JSON of logistics' Receiver
    payment: Mapped[str] = mapped_column(String(16))
    saved_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Order(Base):
    """One number bought by one person. `live` means the number is theirs or promised to them."""

    __tablename__ = "orders"
    __table_args__ = (
        # The last guard: two live orders can never name one number, whatever Redis said.
        Index(
            "one_live_order_per_number",
            "number",
            unique=True,
            sqlite_where=text("live"),
            postgresql_where=text("live"),
        ),
        UniqueConstraint("account", "key"),
        Index("orders_unpaid", "state", "pay_by"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    account: Mapped[str] = mapped_column(String(40), index=True)
    key: Mapped[str] = mapped_column(String(200))  # the caller's Idempotency-Key
    request_digest: Mapped[str] = mapped_column(String(64))
    drop_id: Mapped[str] = mapped_column(String(60), index=True)
    hold_id: Mapped[str] = mapped_column(String(80), unique=True)  # a hold becomes one order at most
    offer_id: Mapped[str] = mapped_column(ForeignKey("offers.id"))
    kind: Mapped[str] = mapped_column(String(10))
    number: Mapped[str] = mapped_column(String(11))
    sku: Mapped[str] = mapped_column(String(60), default="")
    state: Mapped[str] = mapped_column(String(20))
    live: Mapped[bool] = mapped_column(default=True)

    person_id: Mapped[str] = mapped_column(String(40), index=True)
    id_index: Mapped[str] = mapped_column(String(64), index=True)
    name_masked: Mapped[str] = mapped_column(String(40))
    phone: Mapped[str] = mapped_column(SealedText("orders.phone"))  # where codes and news are sent
    phone_masked: Mapped[str] = mapped_column(String(20))
    receiver: Mapped[str] = mapped_column(SealedText("orders.receiver"))  # JSON of logistics' Receiver
    city: Mapped[str] = mapped_column(String(6))  # GB/T 2260 of the address
    courier: Mapped[str] = mapped_column(String(20))

    payment: Mapped[str] = mapped_column(String(20))  # card | alipay | wechat_pay | cod
    price: Mapped[dict[str, object]] = mapped_column(JSON)  # prices.Quote, frozen
    price_version: Mapped[int]
    due_now_fen: Mapped[int]
    payment_id: Mapped[str | None] = mapped_column(String(40))  # the one that paid

    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    pay_by: Mapped[datetime | None] = mapped_column(UtcDateTime)
    expiry_asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    paid_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class OrderEvent(Base):
    """A line of the order's timeline: a move, or a note that moved nothing (then from = to)."""

    __tablename__ = "order_events"

    id: Mapped[int] = mapped_column(
        primary_key=True
    )  # counts up, so it also orders events of one millisecond
    order_id: Mapped[str] = mapped_column(ForeignKey("orders.id"), index=True)
    from_state: Mapped[str] = mapped_column(String(20))
    to_state: Mapped[str] = mapped_column(String(20))
    actor: Mapped[str] = mapped_column(String(60))
    note: Mapped[str] = mapped_column(String(200), default="")  # an N_ sentence or an operator's words
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class Claim(Base):
    """What became of a claim made in Redis. The first row decides: an order, or nothing for ever."""

    __tablename__ = "claims"

    order_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    fate: Mapped[str] = mapped_column(String(10))  # placed | voided
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class Contract(Base):
    """The e-contract of an order: its unsigned and signed papers, by hash."""

    __tablename__ = "contracts"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("orders.id"), unique=True)
    state: Mapped[str] = mapped_column(String(10))  # drafted | signed | in_force | ended
    drafted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    draft_document: Mapped[str] = mapped_column(String(40))
    draft_sha256: Mapped[str] = mapped_column(String(64))
    needs_font: Mapped[bool] = mapped_column(default=False)  # a character our font cannot draw
    code_sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    signed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    signed_phone: Mapped[str | None] = mapped_column(String(20))  # masked
    signed_document: Mapped[str | None] = mapped_column(String(40))
    signed_sha256: Mapped[str | None] = mapped_column(String(64))
    starts_on: Mapped[date | None] = mapped_column(Date)  # Shanghai dates; the term runs from activation
    ends_on: Mapped[date | None] = mapped_column(Date)


class Payment(Base):
    """One attempt to pay an order at Stripe. The row is there before Stripe hears of it."""

    __tablename__ = "payments"
    __table_args__ = (
        UniqueConstraint("order_id", "attempt"),
        # Two methods at once, two tabs at once: the second attempt can't even be written while the first may pay.
        Index(
            "one_open_payment_per_order",
            "order_id",
            unique=True,
            sqlite_where=text("state IN ('created', 'pending', 'processing', 'authorised', 'succeeded')"),
            postgresql_where=text("state IN ('created', 'pending', 'processing', 'authorised', 'succeeded')"),
        ),
        Index("payments_to_ask", "state", "ask_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("orders.id"), index=True)
    attempt: Mapped[int]
    method: Mapped[str] = mapped_column(String(20))  # card | alipay | wechat_pay | cod
    intent_id: Mapped[str | None] = mapped_column(String(80), unique=True)
    client_secret: Mapped[str | None] = mapped_column(SealedText("payments.client_secret"))
    redirect_url: Mapped[str | None] = mapped_column(Text)  # where a wallet's shopper approves
    # created | pending | processing | authorised | succeeded | late | failed | cancelled | refunded
    state: Mapped[str] = mapped_column(String(12))
    problem: Mapped[str] = mapped_column(String(60), default="")  # Stripe's code of the last refusal, or ours
    amount_fen: Mapped[int]
    captured_fen: Mapped[int] = mapped_column(default=0)
    currency: Mapped[str] = mapped_column(String(3), default="cny")
    minted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # first use of the idempotency key
    ask_at: Mapped[datetime] = mapped_column(
        UtcDateTime
    )  # when the poller asks Stripe, should no webhook come
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class StripeEvent(Base):
    """A webhook as it came in, written with the work it asks for; done_at follows the effect, never precedes it."""

    __tablename__ = "stripe_events"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    type: Mapped[str] = mapped_column(String(80))
    intent_id: Mapped[str | None] = mapped_column(String(80), index=True)
    payment_id: Mapped[str | None] = mapped_column(String(40))
    payload: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Refund(Base):
    """Money on its way back: one refund per payment, whole."""

    __tablename__ = "refunds"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("orders.id"), index=True)
    payment_id: Mapped[str] = mapped_column(ForeignKey("payments.id"), unique=True)
    amount_fen: Mapped[int]
    reason: Mapped[str] = mapped_column(String(200))
    actor: Mapped[str] = mapped_column(String(60))
    state: Mapped[str] = mapped_column(String(10))  # requested | pending | succeeded | failed
    round: Mapped[int] = mapped_column(default=1)  # part of the key; a new one after a final no from Stripe
    stripe_refund_id: Mapped[str | None] = mapped_column(String(80))
    problem: Mapped[str] = mapped_column(String(60), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
