"""Marking a number as a favourite, and taking the mark away again."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from runtime.facts import Invalid
from storefront import favourites, forms
from storefront.forms import Form, page
from storefront.pages_drops import FIND, digits, public_drop, show


@page("POST", "/drops/{drop}/favourites", login=True, name="favourite")
def favourite(request: Request, form: Form) -> Response:
    """`mark` or `unmark` names the number; a script says `quiet` and stays where it is."""
    drop_id, account = request.path_params["drop"], request.state.account.id
    public_drop(drop_id)
    query = {name: form[name] for name in (*FIND, "seed", "offer") if form.get(name)}
    try:
        if number := digits(form.get("unmark", "")):
            favourites.unmark(account, drop_id, number)
        else:
            favourites.mark(account, drop_id, digits(form.get("mark", "")))
    except Invalid as full:
        if form.get("quiet"):
            raise
        return show(request, query, refused=full)
    if form.get("quiet"):
        return Response(status_code=204)
    return RedirectResponse(f"/drops/{drop_id}?{urlencode(query)}#favourites", 303)


routes = forms.routes([favourite])
