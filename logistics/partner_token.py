"""The token endpoint: OAuth2 client credentials (RFC 6749 section 4.4) by form, with HTTP Basic or in the body."""

import base64
import binascii
from urllib.parse import parse_qsl, unquote_plus

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from logistics import partners
from logistics.partners import Grant, Refused
from runtime.api import json_response
from runtime.db import writing

FORM = "application/x-www-form-urlencoded"
_MAX_FORM = 8192  # bytes
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class TokenOut(msgspec.Struct):
    """A bearer token; `expires_in` in seconds."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str


async def answer(request: Request) -> Response:
    """The token, or RFC 6749's error object: 401 for a client we do not know, 400 for all else."""
    try:
        given = await run_in_threadpool(_grant, *await _credentials(request))
    except Refused as refused:
        body = {"error": refused.error, "error_description": refused.sentence}
        if refused.error == "invalid_client":
            return json_response(body, 401, {**_NO_STORE, "WWW-Authenticate": 'Basic realm="haoka partners"'})
        return json_response(body, 400, _NO_STORE)
    token = TokenOut(given.token, "Bearer", given.seconds, " ".join(given.scopes))
    return json_response(token, 200, _NO_STORE)


def _grant(client_id: str, secret: str, scope: str) -> Grant:
    with writing() as session:
        return partners.grant(session, client_id, secret, scope)


async def _credentials(request: Request) -> tuple[str, str, str]:
    """(client_id, secret, scope) of a well-formed request; raises Refused."""
    form = await _form(request)
    basic = _basic(request.headers.get("authorization", ""))
    if "grant_type" not in form:
        raise Refused("invalid_request", "grant_type is missing.")
    if form["grant_type"] != "client_credentials":
        raise Refused("unsupported_grant_type", "Only grant_type=client_credentials is served.")
    if basic and "client_secret" in form:
        raise Refused("invalid_request", "Send the secret either by HTTP Basic or in the body, not both.")
    client_id, secret = basic or (form.get("client_id", ""), form.get("client_secret", ""))
    if basic and form.get("client_id", client_id) != client_id:
        raise Refused("invalid_request", "client_id in the body is not the one of HTTP Basic.")
    if not secret or not (client_id.isascii() and client_id.isprintable()):
        raise Refused("invalid_client", "Send client_id and client_secret.")
    return client_id, secret, form.get("scope", "")


async def _form(request: Request) -> dict[str, str]:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != FORM:
        raise Refused("invalid_request", f"The body must be {FORM}.")
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > _MAX_FORM:
            raise Refused("invalid_request", "The body is too large.")
    try:
        pairs = parse_qsl(raw.decode("ascii"), errors="strict", max_num_fields=20)
    except ValueError:
        raise Refused("invalid_request", "The body is no form.") from None
    if len(dict(pairs)) != len(pairs):
        raise Refused("invalid_request", "A parameter is given twice.")
    return dict(pairs)


def _basic(header: str) -> tuple[str, str] | None:
    """(client_id, secret) of HTTP Basic, each form-decoded as RFC 6749 section 2.3.1 wants; None without it."""
    scheme, _, encoded = header.partition(" ")
    if not header:
        return None
    if scheme.lower() != "basic":
        raise Refused("invalid_client", "Authenticate by HTTP Basic or in the body.")
    try:
        client_id, colon, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        colon = ""
    if not colon:
        raise Refused("invalid_client", "The Authorization header cannot be read.")
    return unquote_plus(client_id), unquote_plus(secret)
