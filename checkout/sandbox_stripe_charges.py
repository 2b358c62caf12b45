"""The twin's charges: an intent is authorised, paid, refused or let go, and says so in events."""

from typing import Any

from checkout.sandbox_stripe_cards import DECLINES, card_fault, outcome
from checkout.sandbox_stripe_hooks import emit
from checkout.sandbox_stripe_store import Json, Store, made_id
from checkout.sandbox_stripe_wire import Call


def authorise(store: Store, call: Call, intent: Json, method: Json) -> Json:
    """A card at confirm: asks for 3-D Secure, is declined (402), holds the money, or pays."""
    effect = outcome(store, method)
    if effect == "asks":
        return ask(store, call, intent, "card")
    if effect in DECLINES:
        code, message = DECLINES[effect]
        charge = _charge(store, intent, "failed", {"code": code, "message": message})
        failed = fail(store, call, intent, code, message, effect, charge)
        raise card_fault(code, message, charge=charge["id"], decline_code=effect, payment_intent=failed)
    return _accepted(store, call, intent)


def ask(store: Store, call: Call, intent: Json, kind: str) -> Json:
    """The shopper must act on a page of the outside: wallet, or the bank's 3-D Secure."""
    token, back = made_id("src"), str(call.params.get("return_url", ""))
    url = f"{call.base}/redirect/{token}"
    store.set_switch(f"redirect:{token}", intent["id"])
    store.set_switch(f"return:{intent['id']}", back)
    action: dict[str, Any] = {
        "type": "redirect_to_url", "redirect_to_url": {"return_url": back or None, "url": url},
    }  # fmt: skip
    if kind == "wechat_pay":
        action = {"type": "wechat_pay_display_qr_code", "wechat_pay_display_qr_code": {
            "data": f"weixin://wxpay/bizpayurl?pr={token}", "hosted_instructions_url": url,
            "image_data_url": "", "image_url_png": "", "image_url_svg": ""}}  # fmt: skip
    intent.update(status="requires_action", next_action=action)
    store.put(intent)
    emit(store, call, "payment_intent.requires_action", intent)
    return intent


def settle_action(store: Store, call: Call, intent: Json, word: str) -> Json:
    """The shopper paid. `process`: the bank will know later, the intent is processing until then."""
    if word == "process":
        intent.update(status="processing", next_action=None, processing={"type": _kind(store, intent)})
        store.put(intent)
        emit(store, call, "payment_intent.processing", intent)
        return intent
    return _accepted(store, call, intent)


def refused_at_capture(store: Store, intent: Json) -> bool:
    """Does the card's bank not give what it held? The authorisation stands until it is cancelled."""
    method = store.get("payment_method", intent["payment_method"] or "")
    return method is not None and outcome(store, method) == "refuses_capture"


def paid(store: Store, call: Call, intent: Json, amount: int) -> Json:
    """The money is taken: captured from an authorisation, or charged at once."""
    charge = store.get("charge", intent["latest_charge"] or "") if intent["amount_capturable"] else None
    kind = "charge.captured" if charge else "charge.succeeded"
    if charge is None:
        charge = _charge(store, intent, "succeeded")
    charge.update(captured=True, amount_captured=amount)
    store.put(charge, parent=intent["id"])
    intent.update(
        status="succeeded",
        amount_capturable=0,
        amount_received=amount,
        next_action=None,
        processing=None,
        latest_charge=charge["id"],
    )
    store.put(intent)
    emit(store, call, kind, charge)
    emit(store, call, "payment_intent.succeeded", intent)
    return intent


def fail(
    store: Store, call: Call, intent: Json, code: str = "", message: str = "", decline: str = "",
    charge: Json | None = None,
) -> Json:  # fmt: skip
    """The attempt came to nothing; the intent takes another one."""
    card = _kind(store, intent) == "card"
    code = code or (
        "payment_intent_authentication_failure" if card else "payment_intent_payment_attempt_failed"
    )
    error: Json = {
        "type": "card_error" if card else "invalid_request_error", "code": code,
        "message": message or "The payment was not approved by the payer.",
        "payment_method": store.get("payment_method", intent["payment_method"] or ""),
        **({"decline_code": decline} if decline else {}), **({"charge": charge["id"]} if charge else {}),
    }  # fmt: skip
    intent.update(
        status="requires_payment_method",
        payment_method=None,
        next_action=None,
        processing=None,
        last_payment_error=error,
    )
    if charge:
        intent["latest_charge"] = charge["id"]
        emit(store, call, "charge.failed", charge)
    store.put(intent)
    emit(store, call, "payment_intent.payment_failed", intent)
    return intent


def release(store: Store, call: Call, intent: Json) -> None:
    """An authorisation let go: Stripe shows the charge as refunded, though nothing was ever taken."""
    charge = store.get("charge", intent["latest_charge"] or "")
    if charge:
        charge.update(refunded=True, amount_refunded=charge["amount"])
        store.put(charge, parent=intent["id"])
        emit(store, call, "charge.refunded", charge)


def _accepted(store: Store, call: Call, intent: Json) -> Json:
    kind = _kind(store, intent)
    own = intent["payment_method_options"].get(kind, {}).get("capture_method")
    if kind != "card" or (own or intent["capture_method"]) != "manual":
        return paid(store, call, intent, intent["amount"])
    charge = _charge(store, intent, "succeeded")
    intent.update(
        status="requires_capture",
        amount_capturable=intent["amount"],
        latest_charge=charge["id"],
        next_action=None,
        processing=None,
    )
    store.put(intent)
    emit(store, call, "charge.succeeded", charge)
    emit(store, call, "payment_intent.amount_capturable_updated", intent)
    return intent


def _kind(store: Store, intent: Json) -> str:
    method = store.get("payment_method", intent["payment_method"] or "")
    return str(method["type"]) if method else str(intent["payment_method_types"][0])


def _charge(store: Store, intent: Json, status: str, failure: Json | None = None) -> Json:
    method = store.get("payment_method", intent["payment_method"] or "") or {"type": "card"}
    kind = method["type"]
    charge: Json = {
        "id": made_id("ch" if kind == "card" else "py"), "object": "charge", "amount": intent["amount"],
        "amount_captured": 0, "amount_refunded": 0, "captured": False, "created": int(store.now()),
        "currency": intent["currency"], "customer": None, "description": intent["description"], "disputed": False,
        "failure_code": failure["code"] if failure else None,
        "failure_message": failure["message"] if failure else None, "livemode": False,
        "metadata": intent["metadata"], "paid": status == "succeeded", "payment_intent": intent["id"],
        "payment_method": intent["payment_method"], "payment_method_details": {"type": kind, kind: method.get(kind)},
        "refunded": False, "status": status,
    }  # fmt: skip
    store.put(charge, parent=intent["id"])
    return charge
