"""The form of a drop's queue in the ops console, and the figures beside it."""

from functools import partial
from typing import Any

from anyio import from_thread

from inventory import queue_rules, queueing
from inventory.models import DropQueue
from inventory.queue_rules import Rules
from runtime import clock
from runtime.db import reading
from runtime.facts import N_, Invalid, NotFound, Unavailable
from storefront import i18n
from storefront.forms import Form

FIELDS = {
    "rate": (N_("People let in a second"), N_("At most; fewer when the machine answers late.")),
    "cap": (
        N_("People inside at once"),
        N_("Those who pick and hold. A buyer's room is free again at once."),
    ),
    "stay_seconds": (N_("Time inside, seconds"), N_("To pick and hold; a hold has its own time.")),
    "come_seconds": (N_("Time to come in, seconds"), N_("After that the turn has passed.")),
    "limit_network": (N_("Places for one address"), N_("0: no limit. An IPv6 network counts as one.")),
    "limit_device": (N_("Places for one browser"), N_("0: no limit.")),
    "limit_person": (N_("Places for one verified ID"), N_("0: no limit.")),
    "challenge": (
        N_("Work on joining, level"),
        N_("0 none, 1 light, 2 felt, 3 hard. Who has verified an ID is not asked."),
    ),
}


def wished(form: Form) -> dict[str, Any]:
    """The rules as they were typed. Raises Invalid with a sentence for each field."""
    errors: dict[str, str] = {}
    if len(form.get("reason", "").strip()) < 3:
        errors["reason"] = N_("Say why, in a few words.")
    found: dict[str, Any] = {"mode": form.get("mode", "")}
    for name in FIELDS:
        text = form.get(name, "").replace(",", "").strip()
        if text.isascii() and text.isdigit() and len(text) < 10:
            found[name] = int(text)
        else:
            errors[name] = N_("Give a whole number.")
    if errors:
        raise Invalid(**errors)
    return found


def shown(drop_id: str, form: Form | None, errors: dict[str, str]) -> dict[str, Any]:
    """What the drop's page shows of its queue."""
    with reading() as session:
        queue = queue_rules.find(session, drop_id)
    rules = _rules(queue)
    return {
        "exists": queue is not None,
        "mode": rules["mode"],
        "modes": [(mode, i18n.gettext(name)) for mode, name in queue_rules.MODES.items()],
        "fields": [(name, i18n.gettext(label), i18n.gettext(hint)) for name, (label, hint) in FIELDS.items()],
        "form": {name: str(value) for name, value in rules.items()} | (form or {}),
        "errors": {name: i18n.gettext(sentence) for name, sentence in errors.items()},
        "figures": _figures(drop_id) if queue else None,
        "commitment": queue.commitment if queue else "",
        "drawn": queue.tickets if queue and queue.drawn_at else None,
    }


def _rules(queue: DropQueue | None) -> dict[str, Any]:
    if queue is None:
        return {**vars(Rules()), "mode": "off"}
    return {name: getattr(queue, name) for name in vars(Rules())}


def _figures(drop_id: str) -> list[tuple[str, str]] | None:
    """In words and numbers; None while this process does not know."""
    try:
        view = from_thread.run(partial(queueing.view, drop_id))
    except (NotFound, Unavailable):
        return None
    _ = i18n.gettext
    waiting = view.last - view.served
    return [
        (_("Waiting"), f"{waiting:,}"),
        (_("Called so far"), f"{view.served:,}"),
        (_("Inside"), f"{int(view.line.get('inside', 0)):,}"),
        (_("Called a second"), f"{view.pace(clock.now_ms()):.1f}"),
        (_("Come when called"), _share(view.line.get("came"), view.line.get("asked"))),
        (_("Buy when inside"), f"{100 * float(view.line.get('buy', 1)):.0f} %"),
        (_("Pace kept by the machine"), f"{100 * float(view.line.get('factor', 1)):.0f} %"),
    ]


def _share(part: str | None, whole: str | None) -> str:
    return f"{100 * float(part or 0) / float(whole):.0f} %" if whole and float(whole) > 0 else "-"
