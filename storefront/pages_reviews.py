"""Reviewing an order, and what others said of the same goods."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkout import catalogue
from runtime.db import reading
from runtime.facts import Fact, Invalid, NotFound
from storefront import forms, i18n, pages_orders, reviews, shown
from storefront.forms import Form, page
from storefront.rendering import render


@page("POST", "/orders/{order}/review", login=True, name="review")
def review(request: Request, form: Form) -> Response:
    """One review an order; what was typed comes back with what is wrong with it."""
    order_id, stars = request.path_params["order"], form.get("stars", "")
    try:
        reviews.write(
            request.state.account.id, order_id, stars=int(stars) if stars in tuple("12345") else 0,
            text=form.get("text", ""), asks=form.get("asks") == "yes",
        )  # fmt: skip
    except Invalid as wrong:
        return pages_orders.show(request, errors=wrong.errors, typed=form)
    except NotFound:
        raise
    except Fact as fact:
        return pages_orders.show(request, problem=fact)
    return RedirectResponse(f"/orders/{order_id}?done=reviewed#review", 303)


@page("GET", "/reviews/{goods}", name="reviews")
def listing(request: Request, form: Form) -> Response:
    """All reviews of a handset or a plan of the catalogue, with the shop's answers."""
    goods = request.path_params["goods"]
    with i18n.speaking(request.state.lang), reading() as session:
        now = catalogue.current(session)
        known = now.handset.get(goods) or now.plan.get(goods)
        found, summary = reviews.of_goods(session, goods), reviews.summary(session, goods)
        if known is None and not found:
            raise NotFound
        name = shown.name_of(known) if known else goods
    return render(request, "reviews.html", name=name, found=found, summary=summary)


routes = forms.routes([review, listing])
