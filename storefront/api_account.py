"""JSON API, the shopper: codes, sessions."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from runtime.api import endpoint, json_response, routes
from runtime.facts import TooMany, Unauthorized
from storefront import accounts


class CodeIn(msgspec.Struct):
    """Ask for a login code by SMS."""

    phone: str


class CodeOut(msgspec.Struct):
    """The same for known and unknown phones."""

    sent: bool
    retry_after: int
    """Seconds until another code may be asked for."""


class SessionIn(msgspec.Struct):
    """Sign in with the code that was sent."""

    phone: str
    code: str


class SessionOut(msgspec.Struct):
    """The token goes into `Authorization: Bearer`; browsers get it as a cookie too."""

    token: str
    account: str
    phone: str
    """Masked."""


@endpoint("POST", "/codes", body=CodeIn, answer=CodeOut, facts=(TooMany,), summary="Send a login code by SMS")
def send_code(request: Request, body: CodeIn) -> CodeOut:
    """At most one a minute, 5 an hour, 10 a day for a phone. The code is valid for five minutes, once."""
    address = request.client.host if request.client else ""
    accounts.request_code(body.phone, accounts.binding(request), address=address)
    return CodeOut(True, 60)


@endpoint(
    "POST", "/sessions", body=SessionIn, answer=SessionOut, status=201, facts=(TooMany,), summary="Sign in"
)
def sign_in(request: Request, body: SessionIn) -> Response:
    """A phone seen for the first time gets an account."""
    account, token = accounts.log_in(body.phone, body.code, accounts.binding(request))
    response = json_response(SessionOut(token, account.id, account.phone_masked), 201)
    accounts.set_cookie(response, token)
    return response


@endpoint("DELETE", "/sessions", status=204, summary="Sign out", auth="shopper")
def sign_out(request: Request) -> Response:
    """The token is worthless at once here, and within two seconds in every other process."""
    accounts.log_out(accounts.token_of(request))
    response = Response(status_code=204)
    accounts.clear_cookie(response)
    return response


def shopper(request: Request) -> str:
    """The account id of who asks; raises Unauthorized. Touches no store."""
    identity = accounts.identify(request)
    if identity is None:
        raise Unauthorized
    return identity.account


api_routes = routes([send_code, sign_in, sign_out])
