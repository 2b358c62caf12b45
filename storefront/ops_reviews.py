"""The ops console's reviews: complaints wait here for an answer."""

from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from runtime.db import reading, writing
from runtime.facts import N_, Invalid, WrongMove
from storefront import forms, reviews
from storefront.forms import Form, ops_page
from storefront.rendering import render

_DONE = {"answered": N_("Answered. It stands under the review.")}


@ops_page("GET", "/ops/reviews", name="ops_reviews")
def listing(request: Request, form: Form) -> Response:
    return _show(request)


@ops_page("POST", "/ops/reviews/{review}/answer", needs="launch", name="ops_answer")
def answer(request: Request, form: Form) -> Response:
    """The shop's answer; of two who answer at once the second is told so."""
    review_id = request.path_params["review"]
    try:
        with writing() as session:
            reviews.answer(session, review_id, who=request.state.ops.login, text=form.get("text", ""))
    except Invalid as wrong:
        return _show(request, 422, errors=wrong.errors, at=review_id, typed=form.get("text", ""))
    except WrongMove as fact:
        return _show(request, 409, problem=fact)
    return RedirectResponse("/ops/reviews?done=answered", 303)


def _show(request: Request, status: int = 200, **given: Any) -> Response:
    with reading() as session:
        found = reviews.listing(session)
    done = _DONE.get(request.query_params.get("done", ""), "")
    fixed: dict[str, Any] = {"problem": None, "errors": {}, "at": "", "typed": "", "done": done}
    return render(request, "ops/reviews.html", status, found=found, **(fixed | given))


routes = forms.routes([listing, answer])
