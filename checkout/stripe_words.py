"""Stripe's answers in the shop's words: values for what is, facts for what went otherwise."""

from dataclasses import dataclass, field

from runtime.facts import N_, Fact, Unavailable


class PaymentsUnavailable(Unavailable):
    """Stripe gave no usable answer. What was asked may have been done: ask by the same key, or look."""

    text = N_("The payment service does not answer. You were not charged twice; please try again.")


class StoredError(PaymentsUnavailable):
    """Stripe keeps answering a key with the 500 it stored for it: only a look and a new key help."""


class Refused(PaymentsUnavailable):
    """Stripe does not take the request as it is (a method that is not switched on, an amount): nothing was done."""


class KeyBusy(PaymentsUnavailable):
    """The same key is being worked on at Stripe at this moment."""


class PaymentDeclined(Fact):
    """The bank or the wallet said no; `reason` is Stripe's code."""

    code = "payment_declined"
    text = N_("The payment was declined. Please try another card or method.")


class NotNow(Exception):
    """Stripe refuses the move in the intent's present state: read it again, Stripe's state wins."""


@dataclass(frozen=True)
class Intent:
    """A PaymentIntent as the shop needs it. Money in the currency's smallest unit, fen for cny."""

    id: str
    status: str
    amount: int
    currency: str
    livemode: bool
    received: int
    refunded: int
    client_secret: str = field(repr=False)
    redirect_url: str | None
    problem: str
    payment_id: str


@dataclass(frozen=True)
class Repayment:
    """A refund at Stripe."""

    id: str
    status: str  # pending | requires_action | succeeded | failed | canceled
    amount: int
    refund_id: str  # ours, from its metadata; "" when a person made it at Stripe
    problem: str
