"""Problems: the one table that gives each fact its HTTP status, and its two forms: page and problem+json."""

from functools import lru_cache
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from runtime.facts import N_, Fact, NotFound
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
    "challenge_needed": 403,
    "queue_full": 429,
    # storefront
    "not_reserving": 409,
    "not_known": 403,
    "not_reserved": 403,
    # kyc
    "id_limit_reached": 409,
    # logistics
    "no_courier": 422,
    "receipt_conflict": 409,
    # checkout
    "key_reused": 422,
    "number_slipped": 409,
    "plan_too_small": 422,
    "price_changed": 409,
    "term_too_short": 422,
    "wrong_stock": 422,
    "wrong_code": 422,
    "not_signed": 409,
    "not_verified": 409,
    "paid_too_late": 409,
    "payment_declined": 402,
}

_MACHINES = ("/api/", "/partner/", "/stripe/", "/openapi", "/metrics", "/healthz")


class Problem(NamedTuple):
    """RFC 9457 problem details as they go out, but for the headers that stand on every answer."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


async def on_fact(request: Request, fact: Exception) -> Response:
    assert isinstance(fact, Fact)
    if _is_machine(request):
        return _sent(told(fact, language.of(request)))
    return await _page(request, STATUS.get(fact.code, 409), fact, _headers(fact.code, fact.details))


async def on_http(request: Request, error: Exception) -> Response:
    """Starlette's own refusals (no such route, wrong method) in the same two forms."""
    assert isinstance(error, HTTPException)
    status, headers = error.status_code, dict(error.headers or {})
    fact: Fact = NotFound() if status == 404 else Fact(HTTPStatus(status).phrase)
    if _is_machine(request):
        code = "not_found" if status == 404 else HTTPStatus(status).name.lower()
        return _sent(_problem(code, fact.sentence, status, headers, {}, language.of(request)))
    return await _page(request, status, fact, headers)


async def on_bug(request: Request, error: Exception) -> Response:
    """A fault of ours: logged with its trace, told without it."""
    log.error("request.failed", path=request.scope["path"], exc_info=error)
    fact = Fact(N_("Something went wrong on our side. Nothing was charged twice; please try again."))
    if _is_machine(request):
        return _sent(_problem("internal", fact.sentence, 500, {}, {}, language.of(request)))
    return await _page(request, 500, fact, {})


def told(fact: Fact, lang: str) -> Problem:
    """A fact for a machine; `code` is the stable part, `title` and `errors` are in the language.

    Of a fact whose details are plain values the same bytes are kept: when a drop is sold out many are told so."""
    details = tuple(fact.details.items())
    try:
        return _told(fact.code, fact.sentence, details, lang)
    except TypeError:  # a list or a dict among the details
        return _told.__wrapped__(fact.code, fact.sentence, details, lang)


@lru_cache(maxsize=512)
def _told(code: str, sentence: str, details: tuple[tuple[str, Any], ...], lang: str) -> Problem:
    known = dict(details)
    return _problem(code, sentence, STATUS.get(code, 409), _headers(code, known), known, lang)


def _headers(code: str, details: dict[str, Any]) -> dict[str, str]:
    if "retry_after" in details:
        return {"Retry-After": str(details["retry_after"])}
    return {"WWW-Authenticate": "Bearer"} if code == "unauthorized" else {}


def _problem(
    code: str, sentence: str, status: int, headers: dict[str, str], details: dict[str, Any], lang: str
) -> Problem:
    with i18n.speaking(lang):
        body = {name: value for name, value in details.items() if name != "errors"}
        body |= {"type": "about:blank", "title": i18n.sentence(Fact(sentence, **details)), "status": status}
        body["code"] = code
        if "errors" in details:  # Invalid's: one sentence for each field
            body["errors"] = {field: i18n.gettext(wrong) for field, wrong in details["errors"].items()}
            body["detail"] = "; ".join(f"{field}: {wrong}" for field, wrong in body["errors"].items())
    own = {"Vary": "Accept-Language", **headers, "Content-Type": "application/problem+json"}
    raw = tuple((name.lower().encode(), value.encode("latin-1")) for name, value in own.items())
    return Problem(status, raw, msgspec.json.encode(body))


def _sent(problem: Problem) -> Response:
    response = Response(problem.body, problem.status)
    response.raw_headers.extend(problem.headers)
    return response


def _is_machine(request: Request) -> bool:
    path: str = request.scope["path"]
    return path.startswith(_MACHINES)


async def _page(request: Request, status: int, fact: Fact, headers: dict[str, str]) -> Response:
    request.state.lang = language.of(request)
    return await run_in_threadpool(rendering.problem_page, request, status, fact, headers)
