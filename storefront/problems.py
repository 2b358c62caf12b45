"""Problems: the one table that gives each fact its HTTP status, and its two forms: page and problem+json."""

from http import HTTPStatus
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from runtime.facts import N_, Fact, Invalid, NotFound
from runtime.log import log
from storefront import i18n, language, rendering

STATUS: dict[str, int] = {
    "fact": 409,
    "invalid": 422,
    "not_found": 404,
    "wrong_move": 409,
    "unauthorized": 401,
    "forbidden": 403,
    "too_many": 429,
    "unavailable": 503,
    # inventory
    "taken": 409,
    "sold_out": 409,
    "limit_reached": 409,
    "not_open": 425,
    "drop_closed": 409,
    "drop_paused": 409,
    "stale": 503,
    "lapsed": 409,
    "ordered": 409,
    "not_admitted": 403,
    # kyc
    "id_limit_reached": 409,
    # logistics
    "no_courier": 422,
    "receipt_conflict": 409,
    # checkout
    "key_reused": 422,
    "number_slipped": 409,
    "plan_too_small": 422,
    "term_too_short": 422,
    "wrong_stock": 422,
    "wrong_code": 422,
    "not_signed": 409,
    "not_verified": 409,
    "paid_too_late": 409,
    "payment_declined": 402,
}

_MACHINES = ("/api/", "/partner/", "/stripe/", "/openapi", "/metrics", "/healthz")


def on_fact(request: Request, fact: Exception) -> Response:
    assert isinstance(fact, Fact)
    status = STATUS.get(fact.code, 409)
    headers = {}
    if "retry_after" in fact.details:
        headers["Retry-After"] = str(fact.details["retry_after"])
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    request.state.lang = language.of(request)
    if request.url.path.startswith(_MACHINES):
        return problem(request, status, fact, headers)
    return rendering.problem_page(request, status, fact, headers)


def on_http(request: Request, error: Exception) -> Response:
    """Starlette's own refusals (no such route, wrong method) in the same two forms."""
    assert isinstance(error, HTTPException)
    fact: Fact = NotFound()
    if error.status_code != 404:
        fact = Fact(HTTPStatus(error.status_code).phrase)
    request.state.lang = language.of(request)
    headers = dict(error.headers or {})
    if request.url.path.startswith(_MACHINES):
        code = "not_found" if error.status_code == 404 else HTTPStatus(error.status_code).name.lower()
        return problem(request, error.status_code, fact, headers, code=code)
    return rendering.problem_page(request, error.status_code, fact, headers)


def on_bug(request: Request, error: Exception) -> Response:
    """A fault of ours: logged with its trace, told without it."""
    log.error("request.failed", path=request.url.path, exc_info=error)
    fact = Fact(N_("Something went wrong on our side. Nothing was charged twice; please try again."))
    request.state.lang = language.of(request)
    if request.url.path.startswith(_MACHINES):
        return problem(request, 500, fact, {}, code="internal")
    return rendering.problem_page(request, 500, fact, {})


def problem(
    request: Request, status: int, fact: Fact, headers: dict[str, str], *, code: str = ""
) -> Response:
    """RFC 9457 problem details; `code` is the stable part, `title` and `errors` follow Accept-Language."""
    with i18n.speaking(request.state.lang):
        body: dict[str, Any] = {
            **{key: value for key, value in fact.details.items() if key != "errors"},
            "type": "about:blank",
            "title": i18n.sentence(fact),
            "status": status,
            "code": code or fact.code,
        }
        if isinstance(fact, Invalid):
            body["errors"] = {field: i18n.gettext(sentence) for field, sentence in fact.errors.items()}
            body["detail"] = "; ".join(f"{field}: {sentence}" for field, sentence in body["errors"].items())
    return Response(
        msgspec.json.encode(body), status, {"Vary": "Accept-Language", **headers},
        media_type="application/problem+json",
    )  # fmt: skip
