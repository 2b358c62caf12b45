"""Stripe's webhooks: verified, stored together with their work, answered at once; worked off from the row."""

import hashlib
import hmac
import json
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from checkout import payments, refunds, stripe_api
from checkout.models import Payment, StripeEvent
from checkout.stripe_api import PaymentsUnavailable
from runtime import clock, outbox
from runtime.bulk import insert_new
from runtime.crash import point
from runtime.db import reading, writing
from runtime.facts import N_, Forbidden, Unavailable
from runtime.log import log
from runtime.settings import settings

TOLERANCE, AHEAD = 300, 60  # seconds a signature may be old, or be ahead of our clock
ASK_AGAIN = 10  # seconds until an event is worked on again after Stripe gave no answer
OURS = ("payment_intent.", "charge.", "refund.")


class BadSignature(Forbidden):
    """A webhook that Stripe did not sign, or not now, or for another mode than we sell in."""

    text = N_("The signature is wrong or too old.")


class NotKnownYet(Unavailable):
    """News of a payment we have no row of: Stripe shall come again, for 3 days it does."""

    text = N_("This payment is not known here yet.")


def receive(body: bytes, signature: str) -> None:
    """Take in one webhook; returns when it is committed. The same event again changes nothing.

    Raises BadSignature (403) and NotKnownYet (503); after any error Stripe sends it again."""
    event = _verified(body, signature)
    kind, thing = str(event.get("type", "")), event["data"]["object"]
    if bool(event.get("livemode")) != stripe_api.livemode():
        log.error("stripe.wrong_mode", id=event["id"], livemode=event.get("livemode"))
        raise BadSignature(livemode=bool(event.get("livemode")))
    if not kind.startswith(OURS):
        return
    intent_id = str(thing["id"] if kind.startswith("payment_intent.") else thing.get("payment_intent") or "")
    with writing() as session:
        payment_id = _payment_of(session, intent_id, thing)
        if payment_id is None:
            log.warning("stripe.unknown_intent", id=event["id"], type=kind)
            raise NotKnownYet
        row = {
            "id": str(event["id"]), "type": kind, "intent_id": intent_id, "payment_id": payment_id,
            "payload": body.decode(), "received_at": clock.now(), "done_at": None,
        }  # fmt: skip
        if insert_new(session, StripeEvent, [row]):
            outbox.add(session, "stripe.event", str(event["id"]))
    point("stripe.event_stored")


def handle(event_id: str) -> None:
    """Work off an event. It only says where to look: the object is read again, so order and age don't matter."""
    with reading() as session:
        event = session.get_one(StripeEvent, event_id)
    if event.done_at is not None or event.payment_id is None:
        return
    try:
        payments.reconcile(event.payment_id)
        if event.type.startswith(("refund.", "charge.refund")):
            refunds.follow(event.payment_id)
    except PaymentsUnavailable as silence:
        raise outbox.NotYet(ASK_AGAIN) from silence
    point("stripe.event_worked")
    with writing() as session:
        session.execute(update(StripeEvent).where(StripeEvent.id == event_id).values(done_at=clock.now()))


def _payment_of(session: Session, intent_id: str, thing: dict[str, Any]) -> str | None:
    """By the intent; by its metadata when the webhook came before the intent's id was written down."""
    metadata = thing.get("metadata") or {}
    found = session.scalar(select(Payment.id).where(Payment.intent_id == intent_id)) if intent_id else None
    return found or session.scalar(select(Payment.id).where(Payment.id == str(metadata.get("payment", ""))))


def _verified(body: bytes, signature: str) -> dict[str, Any]:
    """The event, when a v1 signature over time and body is right and the time is near ours.

    Written out, since the SDK takes 0.8 s to import, asks another clock and allows any future. While the secret
    is rotated the setting holds both, comma between."""
    parts = [part.partition("=") for part in signature.split(",")]
    times = [value for name, _, value in parts if name.strip() == "t" and value.isascii() and value.isdigit()]
    given = [value for name, _, value in parts if name.strip() == "v1" and value.isascii()]
    if len(times) != 1 or len(times[0]) > 12:
        raise BadSignature
    secrets = [secret.strip() for secret in settings().stripe_webhook_secret.split(",")]
    wanted = [
        hmac.new(secret.encode(), times[0].encode() + b"." + body, hashlib.sha256).hexdigest()
        for secret in secrets
        if secret
    ]
    if not any(hmac.compare_digest(one, other) for one in wanted for other in given):
        raise BadSignature
    age = clock.now().timestamp() - int(times[0])
    if not -AHEAD <= age <= TOLERANCE:
        log.warning("stripe.signature_time", age=round(age))
        raise BadSignature(age=round(age))
    event = json.loads(body)
    if event.get("object") != "event":
        raise BadSignature
    return dict(event)
