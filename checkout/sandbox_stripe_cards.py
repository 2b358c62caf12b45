"""The twin's payment methods: Stripe's test tokens and test card numbers, and what each of them does."""

import time
from typing import Any

from checkout.sandbox_stripe_store import Json, Store, made_id
from checkout.sandbox_stripe_wire import Call, StripeFault, missing, refused, required

KINDS = ("card", "alipay", "wechat_pay")

# Stripe's published test cards: token -> (number, what happens). https://docs.stripe.com/testing
CARDS = {
    "pm_card_visa": ("4242424242424242", "pays"),
    "pm_card_mastercard": ("5555555555554444", "pays"),
    "pm_card_unionpay": ("6200000000000005", "pays"),
    "pm_card_chargeDeclined": ("4000000000000002", "generic_decline"),
    "pm_card_visa_chargeDeclined": ("4000000000000002", "generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": ("4000000000009995", "insufficient_funds"),
    "pm_card_visa_chargeDeclinedInsufficientFunds": ("4000000000009995", "insufficient_funds"),
    "pm_card_chargeDeclinedExpiredCard": ("4000000000000069", "expired_card"),
    "pm_card_authenticationRequired": ("4000002500003155", "asks"),
    "pm_card_threeDSecure2Required": ("4000002500003155", "asks"),
    # Not one of Stripe's: the bank holds the money, and refuses it when it is captured.
    "pm_card_captureDeclined": ("4000000000007007", "refuses_capture"),
}
OUTCOMES = dict(CARDS.values())
DECLINES = {
    "generic_decline": ("card_declined", "Your card was declined."),
    "insufficient_funds": ("card_declined", "Your card has insufficient funds."),
    "expired_card": ("expired_card", "Your card has expired."),
}


def chosen(store: Store, call: Call) -> Json | None:
    """The payment method a create or confirm names, by token or by data; None when it names none."""
    data = call.params.get("payment_method_data")
    if data is not None:
        return from_data(store, call, data)
    token = call.params.get("payment_method")
    if not token:
        return None
    if token in CARDS:
        return _card(store, *CARDS[token], month=12, year=2034)
    kept = store.get("payment_method", str(token))
    if kept is None:
        raise missing("PaymentMethod", str(token), "payment_method")
    return kept


def from_data(store: Store, call: Call, data: Any) -> Json:
    kind = required(data if isinstance(data, dict) else {}, "type")
    if kind not in KINDS:
        raise refused(f"Invalid payment_method_data[type]: must be one of {', '.join(KINDS)}", param="type")
    if kind != "card":
        return _kept(store, {"type": kind, kind: {}})
    card = data.get("card", {})
    if isinstance(card, dict) and card.get("token") in CARDS:
        return _card(store, *CARDS[card["token"]], month=12, year=2034)
    if not call.publishable:
        raise refused(
            "Sending credit card numbers directly to the Stripe API is generally unsafe. Collect them with"
            " Stripe.js, or use test tokens such as pm_card_visa.",
            param="payment_method_data[card][number]",
        )
    number = "".join(str(required(card, "number")).split())
    month, year = str(required(card, "exp_month")), str(required(card, "exp_year"))
    if not number.isdigit() or not 12 <= len(number) <= 19 or not luhn(number):
        raise card_fault("incorrect_number", "Your card number is incorrect.", "number")
    if not month.isdigit() or not 1 <= int(month) <= 12:
        raise card_fault("invalid_expiry_month", "Your card's expiration month is invalid.", "exp_month")
    if not year.isdigit() or _past(store, int(month), int(year) % 100 + 2000):
        raise card_fault("invalid_expiry_year", "Your card's expiration year is in the past.", "exp_year")
    cvc = str(card.get("cvc", ""))
    if cvc and not (cvc.isdigit() and 3 <= len(cvc) <= 4):
        raise card_fault("invalid_cvc", "Your card's security code is invalid.", "cvc")
    return _card(store, number, OUTCOMES.get(number, "pays"), int(month), int(year) % 100 + 2000)


def outcome(store: Store, method: Json) -> str:
    """pays, asks (3-D Secure), refuses_capture or the decline code. Kept beside the method: Stripe hides it."""
    return store.switch(f"outcome:{method['id']}", "pays")


def card_fault(code: str, message: str, param: str | None = None, **more: Any) -> StripeFault:
    named = {"param": param} if param else {}
    return StripeFault(402, "card_error", message, saved=True, code=code, **named, **more)


def luhn(number: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _past(store: Store, month: int, year: int) -> bool:
    today = time.gmtime(store.now())
    return (year, month) < (today.tm_year, today.tm_mon)


def _card(store: Store, number: str, effect: str, month: int, year: int) -> Json:
    brand = {"4": "visa", "5": "mastercard", "6": "unionpay"}.get(number[0], "unknown")
    card = {
        "brand": brand,
        "last4": number[-4:],
        "exp_month": month,
        "exp_year": year,
        "funding": "credit",
        "country": "US",
        "checks": {"cvc_check": "pass"},
        "three_d_secure_usage": {"supported": True},
    }
    method = _kept(store, {"type": "card", "card": card})
    store.set_switch(f"outcome:{method['id']}", effect)
    return method


def _kept(store: Store, body: Json) -> Json:
    method = {
        "id": made_id("pm"),
        "object": "payment_method",
        "created": int(store.now()),
        "livemode": False,
        "customer": None,
        "metadata": {},
        "billing_details": {"email": None, "name": None},
        **body,
    }
    store.put(method)
    return method
