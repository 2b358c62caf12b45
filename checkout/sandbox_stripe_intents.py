"""The twin's PaymentIntents: create, update, confirm, capture, cancel, with Stripe's states and refusals."""

from checkout.sandbox_stripe_cards import KINDS, card_fault, chosen
from checkout.sandbox_stripe_charges import (
    ask,
    authorise,
    fail,
    paid,
    refused_at_capture,
    release,
    settle_action,
)
from checkout.sandbox_stripe_hooks import emit
from checkout.sandbox_stripe_store import Json, Store, made_id
from checkout.sandbox_stripe_wire import Call, StripeFault, missing, only, refused, required, whole

CHANGEABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
CANCELABLE = (*CHANGEABLE, "requires_capture")
REASONS = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")
SETTABLE = frozenset(
    {"amount", "currency", "payment_method_types", "payment_method", "payment_method_data",
     "payment_method_options", "metadata", "description", "receipt_email", "statement_descriptor",
     "statement_descriptor_suffix", "capture_method", "shipping", "customer", "setup_future_usage"}
)  # fmt: skip
CREATE = SETTABLE | {
    "confirm",
    "return_url",
    "automatic_payment_methods",
    "off_session",
    "confirmation_method",
    "error_on_requires_action",
    "use_stripe_sdk",
}
CONFIRM = frozenset({"payment_method", "payment_method_data", "payment_method_options", "return_url",
                     "off_session", "client_secret", "receipt_email", "capture_method", "shipping", "use_stripe_sdk",
                     "mandate_data", "error_on_requires_action", "setup_future_usage"})  # fmt: skip
DONE = {"update": "updated", "confirm": "confirmed", "capture": "captured", "cancel": "canceled"}
REDIRECTED = ("alipay", "wechat_pay")


def create(store: Store, call: Call) -> Json:
    only(call.params, CREATE)
    required(call.params, "amount")
    identity = made_id("pi")
    intent: Json = {
        "id": identity, "object": "payment_intent", "amount": 0, "amount_capturable": 0, "amount_received": 0,
        "amount_details": {"tip": {}}, "application": None, "automatic_payment_methods": None,
        "canceled_at": None, "cancellation_reason": None, "capture_method": "automatic_async",
        "client_secret": f"{identity}_secret_{made_id('s')[2:]}", "confirmation_method": "automatic",
        "created": int(store.now()), "currency": str(required(call.params, "currency")).lower(), "customer": None,
        "description": None, "last_payment_error": None, "latest_charge": None, "livemode": False, "metadata": {},
        "next_action": None, "payment_method": None, "payment_method_options": {}, "payment_method_types": ["card"],
        "processing": None, "receipt_email": None, "setup_future_usage": None, "shipping": None,
        "statement_descriptor": None, "status": "requires_payment_method", "transfer_group": None,
    }  # fmt: skip
    if len(intent["currency"]) != 3:
        raise refused(f"Invalid currency: {intent['currency']}.", param="currency")
    automatic = call.params.get("automatic_payment_methods", {})
    if isinstance(automatic, dict) and automatic.get("enabled") == "true":
        intent.update(automatic_payment_methods={"enabled": True}, payment_method_types=list(KINDS))
    _set(store, call, intent)
    store.put(intent)
    emit(store, call, "payment_intent.created", intent)
    return _confirm(store, call, intent) if call.params.get("confirm") == "true" else intent


def retrieve(store: Store, call: Call, identity: str) -> Json:
    intent = find(store, identity)
    return _seen_by(call, intent)


def update(store: Store, call: Call, identity: str) -> Json:
    only(call.params, SETTABLE)
    intent = find(store, identity)
    if intent["status"] not in CHANGEABLE and set(call.params) - {"metadata", "description", "expand"}:
        raise unexpected(intent, "update", CHANGEABLE)
    _set(store, call, intent)
    store.put(intent)
    return intent


def confirm(store: Store, call: Call, identity: str) -> Json:
    only(call.params, CONFIRM)
    intent = find(store, identity)
    _seen_by(call, intent)
    if intent["status"] not in CHANGEABLE:
        raise unexpected(intent, "confirm", ("requires_payment_method", "requires_confirmation"))
    for name, options in call.params.get("payment_method_options", {}).items():
        intent["payment_method_options"].setdefault(name, {}).update(options)
    return _seen_by(call, _confirm(store, call, intent))


def capture(store: Store, call: Call, identity: str) -> Json:
    only(call.params, frozenset({"amount_to_capture", "metadata", "statement_descriptor", "final_capture"}))
    intent = find(store, identity)
    if intent["status"] != "requires_capture":
        raise unexpected(intent, "capture", ("requires_capture",))
    amount = whole(call.params, "amount_to_capture", least=1) or intent["amount_capturable"]
    if amount > intent["amount_capturable"]:
        raise refused(
            "The amount to capture is greater than the authorized amount.",
            code="amount_too_large",
            param="amount_to_capture",
        )
    if refused_at_capture(store, intent):
        raise card_fault(
            "card_declined", "Your card was declined.", decline_code="generic_decline", payment_intent=intent
        )
    return paid(store, call, intent, amount)


def cancel(store: Store, call: Call, identity: str) -> Json:
    only(call.params, frozenset({"cancellation_reason"}))
    reason = call.params.get("cancellation_reason")
    if reason is not None and reason not in REASONS:
        raise refused(
            f"Invalid cancellation_reason: must be one of {', '.join(REASONS)}", param="cancellation_reason"
        )
    intent = find(store, identity)
    if intent["status"] not in CANCELABLE:
        raise unexpected(intent, "cancel", CANCELABLE)
    if intent["status"] == "requires_capture":
        release(store, call, intent)
    intent.update(
        status="canceled",
        canceled_at=int(store.now()),
        cancellation_reason=reason,
        amount_capturable=0,
        next_action=None,
    )
    store.put(intent)
    emit(store, call, "payment_intent.canceled", intent)
    return intent


def find(store: Store, identity: str) -> Json:
    intent = store.get("payment_intent", identity)
    if intent is None:
        raise missing("payment_intent", identity, "intent")
    return intent


def unexpected(intent: Json, verb: str, allowed: tuple[str, ...]) -> StripeFault:
    """Stripe's refusal of a move that this status does not allow; it carries the intent as it stands."""
    message = (
        f"You cannot {verb} this PaymentIntent because it has a status of {intent['status']}. Only a"
        f" PaymentIntent with one of the following statuses may be {DONE[verb]}: {', '.join(allowed)}."
    )
    return StripeFault(
        400,
        "invalid_request_error",
        message,
        saved=True,
        code="payment_intent_unexpected_state",
        payment_intent=intent,
    )


def _set(store: Store, call: Call, intent: Json) -> None:
    params = call.params
    if (amount := whole(params, "amount", least=1)) is not None:
        intent["amount"] = amount
    kinds = params.get("payment_method_types")
    if kinds is not None:
        if not isinstance(kinds, list) or not kinds or any(kind not in KINDS for kind in kinds):
            raise refused(
                f"The payment method type must be one of {', '.join(KINDS)}.", param="payment_method_types"
            )
        intent["payment_method_types"] = kinds
    for name in ("metadata", "payment_method_options"):
        if not isinstance(params.get(name, {}), dict):
            raise refused(f"Invalid hash: {name}", param=name)
        intent[name] = {**intent[name], **params.get(name, {})}
    intent["metadata"] = {name: value for name, value in intent["metadata"].items() if value != ""}
    for name in (
        "description",
        "receipt_email",
        "capture_method",
        "shipping",
        "statement_descriptor",
        "customer",
        "setup_future_usage",
    ):
        if name in params:
            intent[name] = params[name] or None
    _choose(store, call, intent)


def _choose(store: Store, call: Call, intent: Json) -> Json | None:
    method = chosen(store, call)
    if method is None:
        return None
    if method["type"] not in intent["payment_method_types"]:
        raise refused(
            f"The PaymentMethod provided ({method['type']}) is not allowed for this PaymentIntent. Please"
            f" attach one of {', '.join(intent['payment_method_types'])}.",
            param="payment_method",
        )
    intent["payment_method"] = method["id"]
    if intent["status"] == "requires_payment_method":
        intent["status"] = "requires_confirmation"
    return method


def _confirm(store: Store, call: Call, intent: Json) -> Json:
    method = _choose(store, call, intent) or store.get("payment_method", intent["payment_method"] or "")
    if method is None:
        raise refused(
            "You cannot confirm this PaymentIntent because it's missing a payment method.",
            code="payment_intent_unexpected_state",
            payment_intent=intent,
        )
    kind, options = method["type"], intent["payment_method_options"]
    if kind == "alipay" and "return_url" not in call.params:
        raise refused(
            "The parameter `return_url` is required to confirm with alipay.",
            code="parameter_missing",
            param="return_url",
        )
    if kind == "wechat_pay" and options.get("wechat_pay", {}).get("client") not in ("web", "android", "ios"):
        raise refused(
            "Missing required param: payment_method_options[wechat_pay][client].",
            code="parameter_missing",
            param="payment_method_options[wechat_pay][client]",
        )
    intent.update(last_payment_error=None, next_action=None)
    if kind in REDIRECTED:
        return ask(store, call, intent, kind)
    return authorise(store, call, intent, method)


def answer(store: Store, call: Call, identity: str, word: str) -> Json:
    """What the person on that page, or the bank behind it, did: pay, decline, process (pays later)."""
    intent = find(store, identity)
    if intent["status"] not in ("requires_action", "processing"):
        return intent
    return fail(store, call, intent) if word == "decline" else settle_action(store, call, intent, word)


def _seen_by(call: Call, intent: Json) -> Json:
    """Stripe.js holds the publishable key and this intent's secret, and sees less than the shop does."""
    if not call.publishable:
        return intent
    if call.params.get("client_secret") != intent["client_secret"]:
        raise refused(
            "The client_secret provided does not match the client_secret associated with the PaymentIntent.",
            code="payment_intent_invalid_parameter",
            param="client_secret",
        )
    hidden = (
        "metadata",
        "customer",
        "application",
        "latest_charge",
        "payment_method_options",
        "transfer_group",
    )
    return {name: value for name, value in intent.items() if name not in hidden}
