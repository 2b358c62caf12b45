"""A shopper's own page: their orders and who we know them as."""

from starlette.requests import Request
from starlette.responses import Response

from checkout import offers, orders
from kyc import people
from runtime.db import reading
from storefront import forms, i18n, shown
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
        person = people.of_account(session, who)
    return render(request, "account.html", orders=listed, person=person)


routes = forms.routes([account])
