"""The ops console's rehearsals: started by a button, shown with the capacity card they end in."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from runtime import outbox
from runtime.db import writing
from runtime.facts import Fact
from storefront import forms, jobs, ops_drops, rehearsing
from storefront.forms import Form, ops_page


@ops_page("POST", "/ops/drops/{drop}/rehearsal", needs="launch", name="ops_rehearse")
def rehearse(request: Request, form: Form) -> Response:
    """Have the drop rehearsed by a worker; its page shows how far it is."""
    drop_id = request.path_params["drop"]
    try:
        with writing() as session:
            rehearsing.may(session, drop_id)
            outbox.add(session, jobs.REHEARSE, f"{drop_id} ops:{request.state.ops.login}")
    except Fact as fact:
        return ops_drops.show(request, {}, problem=fact, status=409)
    return RedirectResponse(f"/ops/drops/{drop_id}#rehearsal", 303)


routes = forms.routes([rehearse])
