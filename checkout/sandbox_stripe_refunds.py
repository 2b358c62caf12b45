"""The twin's refunds: never more than was captured, and a later failure gives the money back to the charge."""

from checkout.sandbox_stripe_hooks import emit
from checkout.sandbox_stripe_store import Json, Store, made_id
from checkout.sandbox_stripe_wire import Call, StripeFault, missing, only, refused, whole

REASONS = ("duplicate", "fraudulent", "requested_by_customer")
CREATE = frozenset({"amount", "charge", "payment_intent", "reason", "metadata", "instructions_email"})


def create(store: Store, call: Call) -> Json:
    only(call.params, CREATE)
    reason = call.params.get("reason")
    if reason is not None and reason not in REASONS:
        raise refused(f"Invalid reason: must be one of {', '.join(REASONS)}", param="reason")
    charge = _charge(store, call)
    left = charge["amount_captured"] - charge["amount_refunded"]
    if not left:
        raise StripeFault(
            400,
            "invalid_request_error",
            f"Charge {charge['id']} has already been refunded.",
            saved=True,
            code="charge_already_refunded",
        )
    amount = whole(call.params, "amount", least=1) or left
    if amount > left:
        raise StripeFault(
            400,
            "invalid_request_error",
            f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left}).",
            saved=True,
            code="amount_too_large",
            param="amount",
        )
    refund: Json = {
        "id": made_id("re" if charge["id"].startswith("ch_") else "pyr"), "object": "refund", "amount": amount,
        "balance_transaction": None, "charge": charge["id"], "created": int(store.now()),
        "currency": charge["currency"], "failure_reason": None, "metadata": call.params.get("metadata", {}),
        "payment_intent": charge["payment_intent"], "reason": reason, "status": "succeeded",
    }  # fmt: skip
    if store.switch("refunds_pending") == "on":
        refund["status"] = "pending"
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
    store.put(refund, parent=charge["payment_intent"])
    store.put(charge, parent=charge["payment_intent"])
    emit(store, call, "refund.created", refund)
    emit(store, call, "charge.refunded", charge)
    return refund


def update(store: Store, call: Call, identity: str) -> Json:
    only(call.params, frozenset({"metadata"}))
    refund = find(store, identity)
    refund["metadata"] = {**refund["metadata"], **call.params.get("metadata", {})}
    store.put(refund)
    return refund


def settle(store: Store, call: Call, identity: str, word: str) -> Json:
    """The bank's later word on a refund: `succeeded`, or `failed`, and then the charge has its money again."""
    refund = find(store, identity)
    if refund["status"] not in ("pending", "succeeded") or refund["status"] == word:
        return refund
    refund["status"] = word
    if word == "failed":
        refund["failure_reason"] = "lost_or_stolen_card"
        charge = store.get("charge", refund["charge"])
        if charge:
            charge["amount_refunded"] -= refund["amount"]
            charge["refunded"] = False
            store.put(charge)
    store.put(refund)
    emit(store, call, "refund.failed" if word == "failed" else "refund.updated", refund)
    return refund


def find(store: Store, identity: str) -> Json:
    refund = store.get("refund", identity)
    if refund is None:
        raise missing("refund", identity, "refund")
    return refund


def _charge(store: Store, call: Call) -> Json:
    identity = call.params.get("charge")
    if intent_id := call.params.get("payment_intent"):
        intent = store.get("payment_intent", str(intent_id))
        if intent is None:
            raise missing("payment_intent", str(intent_id), "payment_intent")
        if intent["status"] != "succeeded":
            raise StripeFault(
                400,
                "invalid_request_error",
                f"This PaymentIntent ({intent_id}) does not have a successful charge to refund.",
                saved=True,
                code="payment_intent_unexpected_state",
                payment_intent=intent,
            )
        identity = intent["latest_charge"]
    if not identity:
        raise refused(
            "One of the following params should be provided for this request: payment_intent or charge.",
            code="parameter_missing",
        )
    charge = store.get("charge", str(identity))
    if charge is None:
        raise missing("charge", str(identity), "charge")
    if not charge["captured"]:
        raise StripeFault(
            400,
            "invalid_request_error",
            f"Charge {identity} has not been captured.",
            saved=True,
            code="charge_not_refundable",
        )
    return charge
