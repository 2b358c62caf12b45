"""Stripe's wire habits for its twin: nested form bodies, errors, parameter checks, lists, idempotency keys."""

import hashlib
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from checkout.sandbox_stripe_store import Json, Store, made_id

KEPT_SECONDS = 24 * 3600  # Stripe forgets idempotency keys after 24 hours
NAME = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")


class StripeFault(Exception):
    """An error answer. `saved`: the endpoint had begun executing, so the answer stays with its key."""

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        *,
        saved: bool = False,
        **more: Any,  # code, param, ...
    ) -> None:
        super().__init__(message)
        self.status = status
        self.saved = saved
        self.error: Json = {"type": kind, "message": message, **more}


@dataclass(frozen=True)
class Call:
    """One API call: who asks (account, publishable or secret key), what, and how the browser reaches us."""

    method: str
    path: str
    params: Json
    base: str
    account: str = "acct_twin"
    publishable: bool = False
    key: str | None = None
    request_id: str | None = field(default_factory=lambda: made_id("req"))


def refused(message: str, *, code: str | None = None, param: str | None = None, **more: Any) -> StripeFault:
    """A parameter that fails validation: not executed, so not kept with the key."""
    more |= {name: value for name, value in (("code", code), ("param", param)) if value}
    return StripeFault(400, "invalid_request_error", message, **more)


def missing(kind: str, identity: str, param: str = "id") -> StripeFault:
    message = f"No such {kind}: '{identity}'"
    return StripeFault(404, "invalid_request_error", message, code="resource_missing", param=param)


def nested(text: str) -> Json:
    """Form text with bracketed names as a tree: `a[b][0][c]=1` -> {"a": {"b": [{"c": "1"}]}}."""
    tree: Json = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        matched = NAME.match(name)
        if not matched:
            raise refused(f"Invalid parameter name: {name}", code="parameter_unknown", param=name)
        keys = [matched[1], *re.findall(r"\[([^\[\]]*)\]", matched[2])]
        place = tree
        for key in keys[:-1]:
            place = place.setdefault(key or str(len(place)), {})
            if not isinstance(place, dict):
                raise refused(f"Invalid hash for {name}", param=name)
        place[keys[-1] or str(len(place))] = value
    return {key: _lists(value) for key, value in tree.items()}


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [_lists(value[key]) for key in sorted(value, key=int)]
    return {key: _lists(part) for key, part in value.items()}


def only(params: Json, known: frozenset[str]) -> None:
    for name in params:
        if name not in known and name != "expand":
            raise refused(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)


def whole(params: Json, name: str, *, least: int, most: int = 99_999_999) -> int | None:
    """An integer parameter, None when absent."""
    if name not in params:
        return None
    text = str(params[name])
    if not re.fullmatch(r"-?\d{1,18}", text):
        raise refused(f"Invalid integer: {text}", code="parameter_invalid_integer", param=name)
    if int(text) < least:
        raise refused(
            f"This value must be greater than or equal to {least}.",
            param=name,
            code="amount_too_small" if name == "amount" else "parameter_invalid_integer",
        )
    if int(text) > most:
        raise refused(f"This value must be at most {most}.", code="amount_too_large", param=name)
    return int(text)


def required(params: Json, name: str) -> Any:
    if params.get(name) in (None, ""):
        raise refused(f"Missing required param: {name}.", code="parameter_missing", param=name)
    return params[name]


def listing(store: Store, call: Call, kind: str, where: str = "", values: tuple[object, ...] = ()) -> Json:
    """Stripe's list object: newest first, cursors starting_after and ending_before, created[gte] and so on."""
    limit = whole(call.params, "limit", least=1, most=100) or 10
    found: list[object] = list(values)
    for word, sign in (("gt", ">"), ("gte", ">="), ("lt", "<"), ("lte", "<=")):
        created = call.params.get("created", {})
        if isinstance(created, dict) and word in created:
            where += f" AND created {sign} ?"
            found.append(whole(created, word, least=0, most=10**12))
    backwards = "ending_before" in call.params
    cursor = call.params.get("ending_before") or call.params.get("starting_after")
    if cursor:
        seq = store.seq(str(cursor))
        if seq is None:
            raise missing(kind, str(cursor), "ending_before" if backwards else "starting_after")
        where += f" AND seq {'>' if backwards else '<'} ?"
        found.append(seq)
    rows = store.page(kind, where, found, limit + 1, backwards)
    data = rows[:limit][:: -1 if backwards else 1]
    return {"object": "list", "url": call.path, "has_more": len(rows) > limit, "data": data}


def expanded(store: Store, thing: Json, call: Call) -> Json:
    """The named references replaced by the objects themselves (one level, as ours need)."""
    kinds = {
        "latest_charge": "charge",
        "charge": "charge",
        "payment_intent": "payment_intent",
        "payment_method": "payment_method",
    }
    names = call.params.get("expand", [])
    for name in names if isinstance(names, list) else []:
        own = str(name).removeprefix("data.")
        targets = thing["data"] if str(name).startswith("data.") else [thing]
        for target in targets:
            if own not in kinds or own not in target:
                raise refused(f"This property cannot be expanded ({name}).", param="expand")
            target[own] = target[own] and store.get(kinds[own], target[own])
    return thing


def once(store: Store, call: Call, execute: Callable[[], Json]) -> tuple[int, Json, bool]:
    """(status, body, replayed): run a POST at most once per Idempotency-Key, as Stripe does.

    Same key and parameters: the stored answer, also a 402 or a 500. Other parameters: 400. Still running: 409.
    What failed before executing began (validation, 404 of the address) is not kept.
    """
    if call.key is None:
        return (*_answered(store, call, execute), False)
    fingerprint = hashlib.sha256(json.dumps([call.path, call.params], sort_keys=True).encode()).hexdigest()
    with store.writing() as sql:
        sql.execute("DELETE FROM idempotency WHERE created < ?", (store.now() - KEPT_SECONDS,))
        known = store.rows(
            "SELECT fingerprint, status, body FROM idempotency WHERE account = ? AND key = ?",
            call.account,
            call.key,
        )
        if not known:
            sql.execute(
                "INSERT INTO idempotency (account, key, fingerprint, created) VALUES (?, ?, ?, ?)",
                (call.account, call.key, fingerprint, store.now()),
            )
    if known:
        first, status, body = known[0]
        if first != fingerprint:
            raise StripeFault(
                400,
                "idempotency_error",
                "Keys for idempotent requests can only be used with the same parameters"
                f" they were first used with. Try using a key other than '{call.key}' if you meant to execute a"
                " different request.",
            )
        if status is None:
            raise StripeFault(
                409,
                "idempotency_error",
                "There is currently another in-progress request using this Idempotent"
                f" Key (that probably means you submitted twice): {call.key}.",
                code="idempotency_key_in_use",
            )
        return int(status), json.loads(body), True
    return (*_answered(store, call, execute), False)


def _answered(store: Store, call: Call, execute: Callable[[], Json]) -> tuple[int, Json]:
    """Effect and kept answer in one transaction; a declined card is an effect too and is committed."""
    _wait(store)
    try:
        with store.writing() as sql:
            try:
                if strikes(store, "error_500"):
                    raise StripeFault(500, "api_error", "An unknown error occurred.", saved=True)
                status, body = 200, execute()
            except StripeFault as fault:
                if not fault.saved:
                    raise
                status, body = fault.status, {"error": fault.error}
            if call.key is not None:
                sql.execute(
                    "UPDATE idempotency SET status = ?, body = ? WHERE account = ? AND key = ?",
                    (status, json.dumps(body), call.account, call.key),
                )
    except BaseException:
        if call.key is not None:
            store.rows("DELETE FROM idempotency WHERE account = ? AND key = ?", call.account, call.key)
        raise
    return status, body


def _wait(store: Store) -> None:
    time.sleep(min(float(store.switch("slow_seconds", "0")), 30.0))


def strikes(store: Store, name: str) -> bool:
    """Uses up one of the faults a person or a test asked for."""
    left = int(store.switch(name, "0"))
    if left > 0:
        store.set_switch(name, str(left - 1))
    return left > 0
