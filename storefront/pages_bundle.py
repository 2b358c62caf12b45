"""A handset of a drop: plan and term side by side, and the number that goes with it."""

from starlette.requests import Request
from starlette.responses import Response

from checkout import offers
from inventory import drops, shelf
from inventory.shelf import ShelfNumber
from runtime.db import reading
from runtime.facts import Fact
from storefront import bundles, forms, i18n, pages_drops, reviews, shown
from storefront.forms import Form, page
from storefront.rendering import render


@page("GET", "/drops/{drop}/bundles/{handset}", name="bundle")
def bundle(request: Request, form: Form) -> Response:
    """The contracts of a handset, and with the chosen one the numbers."""
    drop_id, handset = request.path_params["drop"], request.path_params["handset"]
    query = dict(request.query_params)
    with i18n.speaking(request.state.lang):
        with reading() as session:
            seen = shown.drop(pages_drops.public(drops.find(session, drop_id)))
            found = offers.of_drop(session, drop_id)
            said = reviews.summary(session, handset)
        stock = seen.tally.skus or {}
        number = _number(drop_id, query.get("number", ""))
        kept = {name: value for name, value in query.items() if name != "offer" and value}
        mine = [one for one in found if one.kind == "bundle" and offers.facts(one).handset == handset]
        chosen = query.get("offer", mine[0].id if mine else "")
        table = bundles.table(found, handset, chosen, number, stock, kept)
        given = pages_drops.contents(request, {**query, "offer": chosen}, only=handset)
    turn = pages_drops.turn(request)
    return render(
        request, "bundle.html", given.pop("status"), **given, table=table, wanted=number, turn=turn, said=said,
        handset=handset,
        barred=turn is not None and turn.state != "inside",
    )  # fmt: skip


def _number(drop_id: str, number: str) -> ShelfNumber | None:
    """A number somebody came with, as the shelf has it; None where it is not free."""
    if not pages_drops.digits(number):
        return None
    try:
        return next(iter(shelf.search(drop_id, limit=1, seed="", ending=number)), None)
    except Fact:
        return None


routes = forms.routes([bundle])
