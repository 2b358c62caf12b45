"""The partner API: couriers pull manifests, send receipts and scans. Who calls is known from the token alone."""

import base64
import binascii
import hashlib

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from logistics import manifests, partner_token, partners, receipts, scans
from logistics.models import Manifest
from logistics.partner_shapes import (
    LineOutcome,
    ManifestHead,
    ManifestsOut,
    ReceiptIn,
    ReceiptOut,
    ScanOutcome,
    ScansIn,
    ScansOut,
    TokenIn,
)
from logistics.partners import Caller
from logistics.receipts import ReceiptConflict
from runtime.api import Parameter, endpoint
from runtime.api import routes as make_routes
from runtime.db import reading, writing
from runtime.facts import N_, Forbidden, Invalid, NotFound, Unauthorized

_LIMIT = Parameter(
    "limit",
    "Most manifests in the answer",
    schema={"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
)
_REFUSED = (Unauthorized, Forbidden)


@endpoint(
    "POST",
    "/token",
    summary="Get a bearer token",
    body=TokenIn,
    body_media=partner_token.FORM,
    answer=partner_token.TokenOut,
)
async def token(request: Request) -> Response:
    """OAuth2 client credentials (RFC 6749): form-encoded, with HTTP Basic or the credentials in the body.

    A token lives ten minutes; ask for a new one when a call answers 401. Errors are RFC 6749's: 401 `invalid_client`,
    400 `invalid_request`, `unsupported_grant_type`, `invalid_scope`."""
    return await partner_token.answer(request)


@endpoint(
    "GET",
    "/manifests",
    summary="List manifests behind a cursor",
    answer=ManifestsOut,
    facts=(*_REFUSED, Invalid),
    auth="partner",
    parameters=(
        Parameter("after", "Cursor from `next` of an earlier answer; without it from the first manifest"),
        _LIMIT,
    ),
)
def list_manifests(request: Request) -> ManifestsOut:
    """Your courier's sealed manifests, oldest first, each at least once. `next` is always given: store it after you
    have stored the manifests. An older cursor lists the same manifests again, with the same line ids."""
    caller = _caller(request, "manifests:read")
    position = _position(request.query_params.get("after", ""))
    limit = _limit(request.query_params.get("limit", "20"))
    with reading() as session:
        found = manifests.after(session, caller.courier, position, limit + 1)
    page = found[:limit]
    return ManifestsOut(
        [_head(one) for one in page], _cursor(page[-1].position if page else position), len(found) > limit
    )


@endpoint(
    "GET",
    "/manifests/{no}",
    summary="Fetch a manifest as JSON or CSV",
    facts=(*_REFUSED, NotFound, Invalid),
    auth="partner",
    parameters=(
        Parameter("format", "json or csv; default: what Accept prefers", schema={"enum": ["json", "csv"]}),
        Parameter("If-None-Match", "ETag of an earlier answer; 304 when you have it already", where="header"),
    ),
    media=("application/json", "text/csv"),
)
def fetch_manifest(request: Request) -> Response:
    """The sealed manifest. It never changes: the JSON is the very bytes its sha256 was taken over, and the ETag is
    strong. Fetching marks it pulled."""
    caller = _caller(request, "manifests:read")
    media = _media(request)
    with reading() as session:
        manifest = manifests.find(session, request.path_params["no"], caller.courier)
        body = manifests.csv_of(manifest) if media == "text/csv" else manifests.body(manifest)
    if manifest.state == "sealed":
        with writing() as session:
            manifests.mark_pulled(session, manifest.id)
    sha256 = hashlib.sha256(body)
    etag = f'"{sha256.hexdigest()}"'
    headers = {
        "ETag": etag,
        "Cache-Control": "private, no-cache",
        "Vary": "Accept, Authorization",
        "Content-Digest": f"sha-256=:{base64.b64encode(sha256.digest()).decode()}:",
    }
    if _has(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    if media == "text/csv":
        headers["Content-Disposition"] = f'attachment; filename="{manifest.number}.csv"'
        media = "text/csv; charset=utf-8"
    return Response(body, headers=headers, media_type=media)


@endpoint(
    "POST",
    "/manifests/{no}/receipt",
    summary="Accept or reject the lines of a manifest",
    body=ReceiptIn,
    answer=ReceiptOut,
    facts=(*_REFUSED, NotFound, ReceiptConflict),
    auth="partner",
)
def send_receipt(request: Request, body: ReceiptIn) -> ReceiptOut:
    """Row by row, in one receipt or in many; the same answer may come again.

    A rejected parcel goes to another courier. A different answer to a line that has one is 409
    `receipt_conflict` with `lines`, and nothing is recorded."""
    given = [receipts.Answer(a.line_id, a.result, a.waybill_no.strip(), a.reason.strip()) for a in body.lines]
    caller = _caller(request, "receipts:write")
    with writing() as session:
        manifest = manifests.find(session, request.path_params["no"], caller.courier)
        outcomes = receipts.record(session, manifest, given, client_id=caller.client_id)
        still_open = receipts.still_open(session, manifest)
    lines = [LineOutcome(o.line_id, o.outcome, o.reason) for o in outcomes]
    return ReceiptOut(manifest.number, manifest.state, still_open, lines)


@endpoint(
    "POST", "/scans", summary="Report scans", body=ScansIn, answer=ScansOut, facts=_REFUSED, auth="partner"
)
def send_scans(request: Request, body: ScansIn) -> ScansOut:
    """Up to 500 scans; each gets its own outcome, and the same batch may come again. A late scan is kept and never
    undoes a later state. `delivered` without the right `door_code` becomes `delivered_unverified` until a later
    `delivered` scan (new event_id) brings it; five wrong codes burn it."""
    seen = [
        scans.Seen(one.event_id, one.order_no, one.status, one.at, one.place, one.note, one.door_code)
        for one in body.scans
    ]
    caller = _caller(request, "scans:write")
    with writing() as session:
        outcomes = scans.record(session, caller.courier, seen)
    return ScansOut(
        [ScanOutcome(o.event_id, o.outcome, o.state, o.door, o.tries_left, o.reason) for o in outcomes]
    )


routes: list[Route] = make_routes([token, list_manifests, fetch_manifest, send_receipt, send_scans])


def _caller(request: Request, scope: str) -> Caller:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    with reading() as session:
        return partners.of_token(session, given.strip() if scheme.lower() == "bearer" else "", scope)


def _head(one: Manifest) -> ManifestHead:
    return ManifestHead(one.number, one.state, one.line_count, one.cod_total_fen, one.sealed_at, one.sha256)


def _cursor(position: int) -> str:
    return base64.urlsafe_b64encode(f"m{position}".encode()).decode().rstrip("=")


def _position(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        text = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode("ascii")
        if text[:1] == "m" and text[1:].isdigit() and len(text) < 12 and _cursor(int(text[1:])) == cursor:
            return int(text[1:])
    except (binascii.Error, ValueError):
        pass
    raise Invalid(after=N_("Send the `next` of an earlier answer, or leave `after` out to start again."))


def _limit(given: str) -> int:
    if given.isascii() and given.isdigit() and len(given) <= 3 and 1 <= int(given) <= 100:
        return int(given)
    raise Invalid(limit=N_("Give a whole number from 1 to 100."))


def _media(request: Request) -> str:
    wanted = request.query_params.get("format")
    if wanted not in (None, "json", "csv"):
        raise Invalid(format=N_("Use json or csv."))
    if wanted:
        return "text/csv" if wanted == "csv" else "application/json"
    accept = request.headers.get("accept", "")
    return "text/csv" if "text/csv" in accept and "json" not in accept else "application/json"


def _has(if_none_match: str, etag: str) -> bool:
    """RFC 9110 section 13.1.2: a list of tags compared weakly, or a star."""
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or tags == ["*"]
