"""The waiting page of a drop's queue: joining, one's place, coming in; and the draw for anybody to check."""

from functools import partial

from anyio import from_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from inventory import drops, queue_rules, queueing
from inventory.facts import ChallengeNeeded, DropClosed, QueueFull
from inventory.queue_challenge import Challenge
from inventory.queueing import Place
from runtime.db import reading
from runtime.facts import NotFound, Unavailable
from storefront import accounts, api_queue, forms, i18n, problems, shown
from storefront.forms import Form, page
from storefront.rendering import render

REFRESH_S = {"early": 20, "waiting": 10, "called": 15, "gone": 20}  # without JavaScript
_LIVE = frozenset({"early", "waiting", "called", "gone"})


@page("GET", "/drops/{drop}/queue", name="queue")
def waiting(request: Request, form: Form) -> Response:
    return _show(request)


@page("POST", "/drops/{drop}/queue", login=True, name="join_queue")
def join(request: Request, form: Form) -> Response:
    """Take a place, and see it."""
    drop_id = request.path_params["drop"]
    try:
        signed = from_thread.run(partial(api_queue.join, request, drop_id, proof=form.get("proof", "")))
    except (ChallengeNeeded, QueueFull, DropClosed) as refused:
        with i18n.speaking(request.state.lang):
            return _show(request, problem=i18n.sentence(refused), status=problems.STATUS[refused.code])
    answer = RedirectResponse(f"/drops/{drop_id}/queue", 303)
    api_queue.keep(answer, drop_id, signed)
    return answer


@page("POST", "/drops/{drop}/queue/entry", login=True, name="enter_queue")
def enter(request: Request, form: Form) -> Response:
    """Come in to the numbers, or back to the waiting page when it is not their turn."""
    drop_id = request.path_params["drop"]
    place = from_thread.run(partial(queueing.enter, drop_id, request.state.account.id))
    return RedirectResponse(
        f"/drops/{drop_id}" if place.state == "inside" else f"/drops/{drop_id}/queue", 303
    )


@page("GET", "/drops/{drop}/draw", name="draw")
def draw(request: Request, form: Form) -> Response:
    """The draw's figures, checked in the reader's own browser."""
    drop_id = request.path_params["drop"]
    with i18n.speaking(request.state.lang), reading() as session:
        found = drops.find(session, drop_id)
        held = queue_rules.published(session, drop_id)
        seen = shown.drop(found)
    mine = queueing.ticket(drop_id, request.state.account.id) if request.state.account else ""
    place = held.order.index(mine) + 1 if mine in held.order else None
    about = {
        "id": seen.id, "name": seen.name, "href": f"/drops/{seen.id}/queue", "at": seen.opens_at,
        "reserved": False,
        "api": f"/api/v1/drops/{seen.id}/draw",
    }  # fmt: skip
    return render(request, "draw.html", about=about, draw=held, mine=mine, place=place)


def _show(request: Request, *, problem: str = "", status: int = 200) -> Response:
    drop_id = request.path_params["drop"]
    with i18n.speaking(request.state.lang), reading() as session:
        found = drops.find(session, drop_id)
        if drops.face(found) == "draft":
            raise NotFound
        queue = queue_rules.find(session, drop_id)
        following = drops.next_round(session, found)
        seen = shown.drop(found)
    if queue is None:
        return RedirectResponse(f"/drops/{drop_id}", 303)
    account = request.state.account
    signed = api_queue.signed_place(request, drop_id)
    who = account.id if account else ""
    try:
        place = from_thread.run(partial(queueing.where, drop_id, who, signed))
    except NotFound:  # this process does not know the queue yet, or no more
        place = Place("ended" if seen.state in ("closed", "settled") else "none", opens_at=found.opens_at)
    if place.state == "inside":
        return RedirectResponse(f"/drops/{drop_id}", 303)
    return render(
        request, "queue.html", status, drop=seen, queue=queue, place=place, problem=problem,
        refresh_seconds=REFRESH_S.get(place.state, 0), live=account is not None and place.state in _LIVE,
        following=following, waits_s=_in_words(place), work=_work(request, drop_id, place, signed),
    )  # fmt: skip


def _work(request: Request, drop_id: str, place: Place, signed: str) -> Challenge | None:
    """What the browser of who may join has to solve for it."""
    identity = accounts.identify(request)
    if place.state != "none" or identity is None:
        return None
    try:
        return from_thread.run(
            partial(queueing.challenge, drop_id, identity.account, person=identity.person, signed=signed)
        )
    except (NotFound, Unavailable):  # joining will say it
        return None


def _in_words(place: Place) -> str:
    """How long it will take, as coarse as it is known."""
    seconds = place.estimate_s
    if seconds is None:
        return ""
    if seconds < 60:
        return i18n.gettext("less than a minute")
    minutes = round(seconds / 60)
    return i18n.ngettext("about a minute", "about %(num)s minutes", minutes) % {"num": minutes}


routes = forms.routes([waiting, join, enter, draw])
