"""A shopper's own pages: their orders, who we know them as, where they are signed in, and their data."""

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkout import offers, orders, prepared
from checkout.erasing import OrderOpen
from kyc import people
from runtime.db import reading
from runtime.facts import N_
from storefront import accounts, favourites, forms, i18n, my_data, shown
from storefront.forms import Form, page
from storefront.rendering import render


@page("GET", "/account", login=True, name="account")
def account(request: Request, form: Form) -> Response:
    who = request.state.account.id
    with i18n.speaking(request.state.lang), reading() as session:
        listed = [
            {
                "id": order.id,
                "number": order.number,
                "state": order.state,
                "created_at": order.created_at,
                "due_now_fen": order.due_now_fen,
                "offer_name": shown.offer(offers.find(session, order.offer_id), {}, {}).name,
            }
            for order in orders.of_account(session, who)
        ]
        person, ready = people.of_account(session, who), prepared.of_account(session, who)
        marked = favourites.of_account(session, who)
    return render(
        request,
        "account.html",
        orders=listed,
        person=person,
        ready=ready is not None and ready.whole,
        favourites=marked,
    )


@page("POST", "/account/sessions/end", login=True, name="sign_out_everywhere")
def sign_out_everywhere(request: Request, form: Form) -> Response:
    accounts.log_out_everywhere(request.state.account.id)
    return _signed_out(RedirectResponse("/", 303))


@page("GET", "/account/data", login=True, name="my_data")
def data(request: Request, form: Form) -> Response:
    return render(request, "my_data.html", problem=None, errors={})


@page("POST", "/account/data/export", login=True, name="export")
def export(request: Request, form: Form) -> Response:
    """A JSON file; asked for by a form, so that no link of another page fetches it."""
    body = msgspec.json.format(msgspec.json.encode(my_data.export(request.state.account)))
    headers = {
        "Content-Disposition": 'attachment; filename="haoka-my-data.json"',
        "Cache-Control": "no-store",
    }
    return Response(body, media_type="application/json", headers=headers)


@page("POST", "/account/data/erasure", login=True, name="erasure")
def erase(request: Request, form: Form) -> Response:
    """Forget the account for good, once it was said twice."""
    if form.get("sure") != "yes":
        errors = {"sure": N_("Please confirm that everything is to be forgotten.")}
        return render(request, "my_data.html", 422, problem=None, errors=errors)
    try:
        kept = my_data.erase(request.state.account.id)
    except OrderOpen as fact:
        return render(request, "my_data.html", 409, problem=fact, errors={})
    request.state.account = None
    return _signed_out(render(request, "erased.html", kept=len(kept.orders)))


def _signed_out(answer: Response) -> Response:
    accounts.clear_cookie(answer)
    return answer


routes = forms.routes([account, sign_out_everywhere, data, export, erase])
