"""The ops console's queue of a drop: its rules, changed live."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from inventory import queue_rules
from runtime.db import writing
from runtime.facts import Fact, Invalid
from storefront import forms, ops_drops, ops_queue_form
from storefront.forms import Form, ops_page


@ops_page("POST", "/ops/drops/{drop}/queue", needs="launch", name="ops_queue")
def change(request: Request, form: Form) -> Response:
    """Give the drop a queue or change its rules, with a reason."""
    drop_id = request.path_params["drop"]
    try:
        wished = ops_queue_form.wished(form)
        actor, reason = f"ops:{request.state.ops.login}", form["reason"].strip()[:400]
        with writing() as session:
            queue_rules.change(session, drop_id, actor=actor, reason=reason, **wished)
    except Invalid as wrong:
        return ops_drops.show(request, {}, queue_form=form, queue_errors=wrong.errors, status=422)
    except Fact as fact:
        return ops_drops.show(request, {}, queue_form=form, problem=fact, status=409)
    return RedirectResponse(f"/ops/drops/{drop_id}#queue", 303)


routes = forms.routes([change])
