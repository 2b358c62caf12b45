"""The ops console's identity cases: those the service gave no verdict on wait here for a person's, data masked."""

from collections import defaultdict
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkout.models import Order
from kyc import cases, people
from kyc.models import VerificationCase
from runtime.db import reading, writing
from runtime.facts import N_, WrongMove
from storefront import forms, i18n
from storefront.forms import Form, ops_page
from storefront.rendering import render

AGAIN = "again"
VERDICTS = {
    "matched": N_("They match: I compared both with the ID card itself"),
    "mismatched": N_("The name does not belong to the number"),
    "not_found": N_("The number is on no record"),
    AGAIN: N_("No verdict yet: ask the identity service again"),
}
_STATES = {
    "new": N_("Overdue"),
    "submitted": N_("Overdue"),
    "error": N_("No answer in all tries"),
    "matched": N_("Matched"),
    "mismatched": N_("Did not match"),
    "not_found": N_("Not on record"),
    "dropped": N_("Erased"),
}
_LABELS = {"verdict": N_("Verdict"), "reason": N_("Reason")}
_DONE = {
    "decided": N_("Decided. The orders that waited go on or end within a second."),
    AGAIN: N_("The identity service is being asked again."),
}


@ops_page("GET", "/ops/identity", needs="admin", name="ops_identity")
def listing(request: Request, form: Form) -> Response:
    with reading() as session:
        found = cases.for_review(session)
        waiting = _orders(session, *(case.person_id for case in found))
        listed = [(case, people.find(session, case.person_id), waiting[case.person_id]) for case in found]
    done = _DONE.get(request.query_params.get("done", ""), "")
    return render(request, "ops/identity.html", cases=listed, states=_STATES, done=done, problem=None)


@ops_page("GET", "/ops/identity/{case}", needs="admin", name="ops_case")
def case_page(request: Request, form: Form) -> Response:
    return _show(request, {})


@ops_page("POST", "/ops/identity/{case}/verdict", needs="admin", name="ops_verdict")
def decide(request: Request, form: Form) -> Response:
    """A verdict, or the question once more. Nothing is preset: a slip of the hand lets nobody through."""
    case_id, login = request.path_params["case"], request.state.ops.login
    verdict, reason = form.get("verdict", ""), form.get("reason", "").strip()[:400]
    errors: dict[str, str] = {}
    if verdict not in VERDICTS:
        errors["verdict"] = N_("Choose a verdict.")
    if len(reason) < 3:
        errors["reason"] = N_("Say why, in a few words.")
    if errors:
        return _show(request, form, errors=errors, status=422)
    try:
        with writing() as session:
            if verdict == AGAIN:
                cases.ask_again(session, case_id, actor=login, reason=reason)
            for outcome in cases.OUTCOMES:
                if outcome == verdict:
                    cases.review(session, case_id, outcome, actor=login, reason=reason)
    except WrongMove as fact:
        return _show(request, form, problem=fact, status=409)
    return RedirectResponse(f"/ops/identity?done={AGAIN if verdict == AGAIN else 'decided'}", 303)


def _show(
    request: Request,
    form: Form,
    *,
    errors: dict[str, str] | None = None,
    problem: WrongMove | None = None,
    status: int = 200,
) -> Response:
    with i18n.speaking(request.state.lang), reading() as session:
        case = cases.find(session, request.path_params["case"])
        given: dict[str, Any] = {
            "case": case,
            "person": people.find(session, case.person_id),
            "orders": _orders(session, case.person_id)[case.person_id],
            "state": i18n.gettext(_STATES[case.state]),
            "verdicts": [(code, i18n.gettext(text)) for code, text in VERDICTS.items() if _open(case, code)],
            "labels": {name: i18n.gettext(label) for name, label in _LABELS.items()},
        }
    return render(request, "ops/case.html", status, form=form, errors=errors or {}, problem=problem, **given)


def _open(case: VerificationCase, verdict: str) -> bool:
    """May this case get that verdict now? One that is still being asked is not asked again."""
    return ("new" if verdict == AGAIN else verdict) in cases.MOVES[case.state]


def _orders(session: Session, *person_ids: str) -> dict[str, list[Order]]:
    """The orders that wait for each person's verdict, oldest first."""
    found: dict[str, list[Order]] = defaultdict(list)
    waiting = select(Order).where(Order.person_id.in_(person_ids), Order.state == "awaiting_kyc")
    for order in session.scalars(waiting.order_by(Order.created_at)):
        found[order.person_id].append(order)
    return found


routes = forms.routes([listing, case_page, decide])
