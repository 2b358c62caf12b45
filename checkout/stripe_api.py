"""Stripe, as far as the shop speaks to it: the one file that imports its SDK, with deadline and breaker.

The SDK never retries by itself. Who calls repeats with the same key, or asks first (find_intent, refunds_of)
when the key may be older than Stripe remembers it."""

import threading
import time
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from checkout.stripe_words import Intent as Intent
from checkout.stripe_words import KeyBusy as KeyBusy
from checkout.stripe_words import NotNow as NotNow
from checkout.stripe_words import PaymentDeclined as PaymentDeclined
from checkout.stripe_words import PaymentsUnavailable as PaymentsUnavailable
from checkout.stripe_words import Refused as Refused
from checkout.stripe_words import Repayment as Repayment
from checkout.stripe_words import StoredError as StoredError
from runtime.log import log
from runtime.settings import settings

if TYPE_CHECKING:
    import stripe

TIMEOUT = 8.0  # seconds for connecting and for each read
KEY_HOURS = 23  # Stripe forgets keys after 24 hours; older ones of ours are not sent blindly
BREAKS_AFTER, BREAKS_FOR = 5, 10.0  # calls without an answer in a row; seconds without a new try
STATE_CODES = {
    "payment_intent_unexpected_state", "payment_intent_payment_attempt_failed", "charge_already_refunded",
    "charge_not_refundable", "charge_expired_for_capture", "amount_too_large", "resource_missing",
}  # fmt: skip
T = TypeVar("T")


def create_intent(*, amount_fen: int, method: str, order_id: str, payment_id: str, key: str) -> Intent:
    """An intent of an order. Cards are authorised first and captured when the number is sure."""
    params: Any = {
        "amount": amount_fen,
        "currency": "cny",
        "payment_method_types": [method],
        "description": f"Haoka {order_id}",
        "metadata": {"order": order_id, "payment": payment_id},
    }
    if method == "card":
        params["payment_method_options"] = {"card": {"capture_method": "manual"}}
    for pause in (0.1, 0.3, 0.9):
        try:
            return _ask(lambda api: _intent(api.v1.payment_intents.create(params, {"idempotency_key": key})))
        except KeyBusy:
            time.sleep(pause)  # another tab, the webhook or the poller makes this very intent just now
    raise KeyBusy


def confirm_wallet(intent_id: str, method: str, return_url: str) -> Intent:
    """Start Alipay or WeChat Pay: the answer says where the shopper approves. Raises NotNow, PaymentDeclined."""
    params: Any = {"payment_method_data": {"type": method}, "return_url": return_url}
    if method == "wechat_pay":
        params["payment_method_options"] = {"wechat_pay": {"client": "web"}}
    return _ask(lambda api: _intent(api.v1.payment_intents.confirm(intent_id, params)))


def retrieve(intent_id: str) -> Intent:
    expand: Any = {"expand": ["latest_charge"]}
    return _ask(lambda api: _intent(api.v1.payment_intents.retrieve(intent_id, expand)))


def find_intent(payment_id: str, since: datetime) -> Intent | None:
    """The intent made for a payment, by looking through all since then: for keys too old to be sent again."""
    made = int(since.timestamp())
    params: Any = {"limit": 100, "created": {"gte": made - 60, "lte": made + 24 * 3600}}

    def look(api: "stripe.StripeClient") -> Intent | None:
        for found in api.v1.payment_intents.list(params).auto_paging_iter():
            if _text(found, "metadata", "payment") == payment_id:
                return _intent(found)
        return None

    return _ask(look)


def capture(intent_id: str) -> Intent:
    """Take what is authorised. The intent's state guards it: a second capture raises NotNow. So it carries no
    key of ours; a key would only bring back a stored 500 for a day."""
    return _ask(lambda api: _intent(api.v1.payment_intents.capture(intent_id)))


def cancel(intent_id: str) -> Intent:
    """End an intent, letting an authorisation go. Guarded by its state like capture. Raises NotNow."""
    return _ask(lambda api: _intent(api.v1.payment_intents.cancel(intent_id)))


def refund(intent_id: str, *, refund_id: str, amount_fen: int, key: str) -> Repayment:
    """Send captured money back. Raises NotNow when there is nothing (left) to refund."""
    params: Any = {"payment_intent": intent_id, "amount": amount_fen, "metadata": {"refund": refund_id}}
    return _ask(lambda api: _repayment(api.v1.refunds.create(params, {"idempotency_key": key})))


def refunds_of(intent_id: str) -> list[Repayment]:
    """All refunds of an intent, newest first."""
    params: Any = {"payment_intent": intent_id, "limit": 100}
    return _ask(lambda api: [_repayment(found) for found in api.v1.refunds.list(params).data])


def livemode() -> bool:
    """Does our key move real money?"""
    return settings().stripe_key.startswith(("sk_live_", "rk_live_"))


@lru_cache(maxsize=4)
def _client(key: str, url: str) -> "stripe.StripeClient":
    import stripe

    stripe.enable_telemetry = False
    direct: Any = {"http": None, "https": None, "all": None}  # no proxy out of the environment
    http = stripe.RequestsClient(timeout=TIMEOUT, proxy=direct)
    return stripe.StripeClient(key, base_addresses={"api": url}, max_network_retries=0, http_client=http)


_guard = threading.Lock()
_silent = 0
_rests_until = 0.0


def _ask(question: Callable[["stripe.StripeClient"], T]) -> T:
    """Ask Stripe once; the breaker spares everybody the wait when it has been silent for a while."""
    if time.monotonic() < _rests_until:
        raise PaymentsUnavailable
    import stripe

    try:
        answer = question(_client(settings().stripe_key, settings().stripe_url))
    except stripe.APIConnectionError as error:
        _note(heard=False)
        raise PaymentsUnavailable from error
    except stripe.StripeError as error:
        _note(heard=True)
        raise _meaning(error) from error
    _note(heard=True)
    return answer


def _note(*, heard: bool) -> None:
    global _silent, _rests_until
    with _guard:
        _silent = 0 if heard else _silent + 1
        if _silent >= BREAKS_AFTER:
            _silent = 0
            _rests_until = time.monotonic() + BREAKS_FOR
            log.error("stripe.silent", rests=BREAKS_FOR)


def _meaning(error: "stripe.StripeError") -> Exception:
    import stripe

    code = error.code or (error.error.code if error.error else None) or ""
    if isinstance(error, stripe.CardError):
        return PaymentDeclined(reason=code)
    if isinstance(error, stripe.InvalidRequestError) and code in STATE_CODES:
        return NotNow(code)
    if code == "idempotency_key_in_use":
        return KeyBusy()
    log.error("stripe.refused", kind=type(error).__name__, status=error.http_status, code=code,
              request=error.request_id)  # fmt: skip
    if isinstance(error, stripe.InvalidRequestError) and error.http_status == 400:
        return Refused()
    stored = (error.http_status or 0) >= 500 and (error.headers or {}).get("Idempotent-Replayed") == "true"
    return StoredError() if stored else PaymentsUnavailable()


def _intent(found: Any) -> Intent:
    charge = found.latest_charge if not isinstance(found.latest_charge, str | None) else None
    error = found.last_payment_error
    return Intent(
        id=found.id,
        status=found.status,
        amount=found.amount,
        currency=found.currency,
        livemode=found.livemode,
        received=found.amount_received or 0,
        refunded=charge.amount_refunded if charge is not None and charge.captured else 0,
        client_secret=found.client_secret or "",
        redirect_url=_redirect(found),
        problem=(getattr(error, "decline_code", None) or error.code or "") if error else "",
        payment_id=_text(found, "metadata", "payment"),
    )


def _redirect(found: Any) -> str | None:
    """Where the shopper approves: Alipay's redirect, or the page on which Stripe shows WeChat Pay's QR code."""
    wallet = _text(found, "next_action", "redirect_to_url", "url")
    wallet = wallet or _text(found, "next_action", "alipay_handle_redirect", "url")
    return (
        wallet or _text(found, "next_action", "wechat_pay_display_qr_code", "hosted_instructions_url") or None
    )


def _repayment(found: Any) -> Repayment:
    return Repayment(
        id=found.id,
        status=found.status or "pending",
        amount=found.amount,
        refund_id=_text(found, "metadata", "refund"),
        problem=_text(found, "failure_reason"),
    )


def _text(found: Any, *path: str) -> str:
    """A nested text of a StripeObject, "" where any part of the way is missing."""
    for name in path:
        if found is None or name not in found:
            return ""
        found = found[name]
    return str(found) if found is not None else ""
