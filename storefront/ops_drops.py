"""The ops console's drops: all of them with their figures and alarms, one of them live, its moves and its audit."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from checkout import audit as auditing
from checkout import offers, orders
from inventory import drops, tallies
from inventory.models import Drop
from kyc import cases
from runtime import clock, outbox, ticker
from runtime.db import reading, writing
from runtime.facts import N_, Fact, Invalid, Unavailable
from storefront import forms, i18n, ops_drop_form, ops_queue_form, rehearsing, shown
from storefront.forms import Form, ops_page
from storefront.rendering import render, share

TALLY = {
    "loaded": N_("Loaded"),
    "free": N_("Free"),
    "held": N_("Held"),
    "ordered": N_("Ordered"),
    "paid": N_("Paid"),
    "withdrawn": N_("Withdrawn"),
}
Verb = Callable[..., Drop]
MOVES: dict[str, tuple[Verb, str, bool]] = {  # verb, button, is it hard to undo
    "schedule": (drops.schedule, N_("Schedule"), False),
    "warm": (drops.warm, N_("Warm up"), False),
    "open": (drops.open_now, N_("Open now"), False),
    "pause": (drops.pause, N_("Pause"), True),
    "resume": (drops.resume, N_("Resume"), False),
    "close": (drops.close, N_("Close for good"), True),
    "settle": (drops.settle, N_("Settle"), False),
    "cash_off": (drops.cash_off, N_("Cash at the door off"), False),
    "cash_on": (drops.cash_on, N_("Cash at the door on"), False),
}
_OFFERED = {
    "draft": ("schedule", "close"),
    "scheduled": ("warm", "open", "close"),
    "warming": ("open", "pause", "close"),
    "open": ("pause", "close"),
    "sold_out": ("pause", "close"),
    "paused": ("resume", "close"),
    "closed": ("settle",),
    "settled": (),
}
_DONE = {**{name: verb[1] for name, verb in MOVES.items()}, "create": N_("Create"), "queue": N_("Queue")}
_LATE = 60.0  # seconds after which work that is due counts as left lying


@ops_page("GET", "/ops", name="ops")
def home(request: Request, form: Form) -> Response:
    with i18n.speaking(request.state.lang), reading() as session:
        listed = [
            {
                "id": drop.id, "name": drop.name, "state": drops.face(drop), "opens_at": drop.opens_at,
                **(_figures(drop) or _NONE),
            }
            for drop in drops.listing(session)
        ]  # fmt: skip
        dead = outbox.dead(session)
        alarms = _alarms(session, len(dead))
    return render(request, "ops/home.html", drops=listed, dead=dead[:10], alarms=alarms, problem=None)


@ops_page("GET", "/ops/drops/{drop}", name="ops_drop")
def drop_page(request: Request, form: Form) -> Response:
    return show(request, {})


@ops_page("GET", "/ops/drops/{drop}/figures", name="ops_figures")
def figures(request: Request, form: Form) -> Response:
    """The live figures as JSON, for the open page."""
    with reading() as session:
        drop = drops.find(session, request.path_params["drop"])
    now = _figures(drop)
    if now is None:
        raise Unavailable
    return JSONResponse(
        {"state": drops.face(drop), "tally": now["counts"], "shares": now["shares"], "as_of": _as_of()},
        headers={"Cache-Control": "no-store"},
    )


@ops_page("POST", "/ops/drops/{drop}/moves", needs="launch", name="ops_move")
def move(request: Request, form: Form) -> Response:
    """Schedule, warm, open, pause, resume, close or settle, with a reason."""
    drop_id, reason = request.path_params["drop"], form.get("reason", "").strip()
    chosen = MOVES.get(form.get("move", ""))
    if chosen is None or len(reason) < 3:
        return show(request, form, errors={"reason": N_("Say why, in a few words.")}, status=422)
    try:
        with writing() as session:
            chosen[0](session, drop_id, actor=f"ops:{request.state.ops.login}", reason=reason[:400])
    except Fact as fact:
        return show(request, form, problem=fact, status=409)
    return RedirectResponse(f"/ops/drops/{drop_id}", 303)


@ops_page("POST", "/ops/drops/{drop}/audit", name="ops_audit")
def audit(request: Request, form: Form) -> Response:
    try:
        report = auditing.audit(request.path_params["drop"])
    except Fact as fact:
        return show(request, {}, problem=fact, status=503)
    told = {"differences": len(report.differences), "lines": [*report.differences, *report.lines]}
    return show(request, {}, audit=told)


@ops_page("GET", "/ops/drops/new", needs="launch", name="ops_new_drop")
def new_drop(request: Request, form: Form) -> Response:
    return _ask(request, ops_drop_form.fresh(), {})


@ops_page("POST", "/ops/drops/new", needs="launch", name="ops_create_drop")
def create_drop(request: Request, form: Form) -> Response:
    try:
        with writing() as session:
            drop = ops_drop_form.create(session, form, actor=f"ops:{request.state.ops.login}")
    except Invalid as wrong:
        return _ask(request, form, wrong.errors, 422)
    return RedirectResponse(f"/ops/drops/{drop.id}", 303)


def _ask(request: Request, form: Form, errors: dict[str, str], status: int = 200) -> Response:
    with i18n.speaking(request.state.lang), reading() as session:
        choices = ops_drop_form.choices(session)
    return render(request, "ops/drop_new.html", status, form=form, errors=errors, problem=None, **choices)


def show(
    request: Request,
    form: Form,
    *,
    errors: dict[str, str] | None = None,
    problem: Fact | None = None,
    audit: dict[str, Any] | None = None,
    queue_form: Form | None = None,
    queue_errors: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    """The drop's page."""
    with i18n.speaking(request.state.lang), reading() as session:
        drop = drops.find(session, request.path_params["drop"])
        state, now = drops.face(drop), _figures(drop)
        names = {
            one.sku_code: shown.in_language(offers.facts(one), "handset")
            for one in offers.of_drop(session, drop.id)
            if one.sku_code
        }
        given: dict[str, Any] = {
            "drop": {
                **{column.key: getattr(drop, column.key) for column in Drop.__table__.columns},
                "state": state,
                "cities": [shown.city_name(code) for code in drop.cities],
                **(now or {"counts": None, "shares": None}),
            },
            "skus": [
                (names.get(sku, sku), count.free) for sku, count in (now["skus"] if now else {}).items()
            ],
            "moves": [(name, i18n.gettext(MOVES[name][1]), MOVES[name][2]) for name in _offered(drop, state)],
            "tally_labels": [(name, i18n.gettext(label)) for name, label in TALLY.items()],
            "action_words": _DONE,
            "actions": drops.actions(session, drop.id)[::-1],
            "order_counts": sorted(orders.counts(session, drop.id).items()),
            "as_of": _as_of(),
            "rehearsal": rehearsing.shown(session, drop.id),
        }
        given["queue"] = ops_queue_form.shown(drop.id, queue_form, queue_errors or {})
    return render(
        request,
        "ops/drop.html",
        status,
        form=form,
        errors=errors or {},
        problem=problem,
        audit=audit,
        **given,
    )


def _figures(drop: Drop) -> dict[str, Any] | None:
    """Counts and their shares in percent; None while Redis cannot say."""
    try:
        tally = tallies.tally(drop.id)
    except Unavailable:
        return None
    counts = {name: getattr(tally, name) for name in TALLY}
    return {
        "counts": counts,
        "shares": {name: share(count, tally.loaded) for name, count in counts.items()},
        "skus": tally.skus,
    }


_NONE: dict[str, Any] = {"counts": dict.fromkeys(TALLY, 0), "shares": dict.fromkeys(TALLY, 0.0), "skus": {}}


def _offered(drop: Drop, state: str) -> tuple[str, ...]:
    """The moves that make sense now."""
    cash = () if state in ("closed", "settled") else ("cash_off" if drop.cod else "cash_on",)
    return (*_OFFERED[state], *cash)


def _alarms(session: Session, dead: int) -> list[dict[str, Any]]:
    """What must not be: work that failed for good or lies, people nobody could check, a clock that stands."""
    lying = outbox.due_queues(older_than=_LATE)
    lease = session.get(ticker.Lease, "clock")
    ticking = lease is not None and lease.until > clock.now() - timedelta(seconds=5)
    unchecked = cases.waiting(session)
    _ = i18n.gettext
    alarms: list[dict[str, Any]] = [
        {"name": _("Failed for good"), "value": dead, "bad": dead > 0, "text": ""},
        {
            "name": _("Left lying over a minute"),
            "value": len(lying),
            "bad": bool(lying),
            "text": ", ".join(sorted(lying)),
        },
        {
            "name": _("Identity cases waiting"),
            "value": unchecked,
            "bad": unchecked > 0,
            "text": _("The identity service gave no verdict; a person must.") if unchecked else "",
            "link": "/ops/identity",
        },
        {
            "name": _("Clock"),
            "value": _("ticks") if ticking else _("stands still"),
            "bad": not ticking,
            "text": "" if ticking else _("Holds do not expire and manifests are not cut."),
        },
    ]
    return [{"link": "", **alarm} for alarm in alarms]


def _as_of() -> str:
    return clock.now().astimezone(clock.SHANGHAI).strftime("%H:%M:%S")


routes = forms.routes([home, new_drop, create_drop, drop_page, figures, move, audit])
