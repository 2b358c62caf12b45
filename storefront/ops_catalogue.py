"""The ops console's catalogue: what there is, its versions, and importing a file after a look at what it changes."""

import base64
import binascii
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkout import catalogue
from checkout.catalogue_merge import Change
from runtime.db import reading, writing
from runtime.facts import N_, Fact, Invalid
from storefront import forms, i18n, shown
from storefront.forms import Form, ops_page
from storefront.rendering import render

THINGS = {
    "plan": N_("Plan"),
    "handset": N_("Handset"),
    "sku": N_("Colour and storage"),
    "policy": N_("Contract"),
    "grade": N_("Number grade"),
    "promotion": N_("Promotion"),
}
WHAT = {"added": N_("added"), "changed": N_("changed"), "retired": N_("taken out")}


@ops_page("GET", "/ops/catalogue", name="ops_catalogue")
def listing(request: Request, form: Form) -> Response:
    return _show(request, {}, {})


@ops_page("POST", "/ops/catalogue", needs="launch", name="ops_catalogue_preview", files=1)
def preview(request: Request, form: Form) -> Response:
    """What the file would change; nothing is written."""
    name, raw = request.state.files.get("file", ("", b""))
    try:
        if not name:
            raise Invalid(file=N_("Choose a file first."))
        with reading() as session:
            seen = catalogue.preview(session, [(name, raw)])
    except Invalid as wrong:
        return _show(request, {}, wrong.errors, status=422)
    kept = {"name": name, "file": base64.b64encode(raw).decode(), "base": str(seen.base)}
    return _show(request, kept, {}, preview=seen)


@ops_page("POST", "/ops/catalogue/versions", needs="launch", name="ops_catalogue_publish")
def publish(request: Request, form: Form) -> Response:
    """Publish what was looked at, the same file over the same version."""
    try:
        files = [(form.get("name", ""), base64.b64decode(form.get("file", ""), validate=True))]
    except binascii.Error:
        return _show(request, {}, {"file": N_("Choose a file first.")}, status=422)
    problem: Fact | None = None
    with reading() as session:
        seen = catalogue.preview(session, files)
    if len(form.get("reason", "").strip()) < 3:
        return _show(request, form, {"reason": N_("Say why, in a few words.")}, preview=seen, status=422)
    if str(seen.base) == form.get("base"):
        try:
            with writing() as session:
                actor, reason = request.state.ops.login, form["reason"].strip()[:400]
                version = catalogue.publish(session, seen, actor=actor, reason=reason)
            return RedirectResponse(f"/ops/catalogue?published={version}", 303)
        except Fact as fact:
            problem = fact
    else:
        problem = catalogue.changed()
    with reading() as session:
        seen = catalogue.preview(session, files)
    return _show(request, {**form, "base": str(seen.base)}, {}, preview=seen, problem=problem, status=409)


def _show(
    request: Request, form: Form, errors: dict[str, str], *, preview: catalogue.Preview | None = None,
    problem: Fact | None = None, status: int = 200,
) -> Response:  # fmt: skip
    with i18n.speaking(request.state.lang), reading() as session:
        found = catalogue.current(session)
        given: dict[str, Any] = {
            "newest": catalogue.newest(session),
            "versions": [_version(one) for one in catalogue.versions(session)],
            "plans": [
                {"code": one.code, "name": shown.name_of(one), "fee_fen": one.fee_fen, "topup_fen": one.topup_fen,
                 "allowance": shown.allowance(one)} for one in found.plans
            ],
            "handsets": [
                {"code": one.code, "name": shown.name_of(one), "skus": found.skus_of(one.code),
                 "contracts": len(found.policies_of(one.code))} for one in found.handset.values()
            ],
            "promotions": [
                {"code": one.code, "name": shown.name_of(one), "kind": one.kind, "starts_at": one.starts_at,
                 "ends_at": one.ends_at, "amount_fen": one.amount_fen} for one in found.promotion.values()
            ],
            "changes": [_change(one) for one in preview.changes] if preview else None,
            "things": {thing: i18n.gettext(name) for thing, name in THINGS.items()},
            "what": {what: i18n.gettext(name) for what, name in WHAT.items()},
            "published": request.query_params.get("published"),
            "labels": {"file": i18n.gettext("File"), "reason": i18n.gettext("Reason")},
        }  # fmt: skip
    return render(request, "ops/catalogue.html", status, form=form, errors=errors, problem=problem, **given)


def _version(one: Any) -> dict[str, Any]:
    changes = [msgspec.convert(change, Change) for change in one.changes]
    return {
        "version": one.version, "at": one.at, "actor": one.actor, "reason": one.reason, "sha256": one.sha256,
        "changes": [_change(change) for change in changes],
    }  # fmt: skip


def _change(one: Change) -> dict[str, Any]:
    return {"thing": one.thing, "code": one.code, "what": one.what, "fields": one.fields}


routes = forms.routes([listing, preview, publish])
