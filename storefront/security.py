"""What every request passes: host check, CSRF by Fetch Metadata, CSP and the other headers. Plain ASGI."""

import secrets
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.settings import settings

_SAFE = {"GET", "HEAD", "OPTIONS"}
# Machines without cookies: they prove themselves by a signature or a bearer token, and cookies are not read there.
_COOKIELESS = ("/stripe/webhook", "/partner/")

_FIXED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(self)",
}


class Guard:
    """Middleware around the whole app; sets `request.state.nonce`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers = Headers(scope=scope)
        if refusal := _refusal(scope, headers):
            return await refusal(scope, receive, send)
        nonce = secrets.token_urlsafe(16)
        scope.setdefault("state", {})["nonce"] = nonce

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                _dress(MutableHeaders(raw=message["headers"]), scope["path"], nonce)
            await send(message)

        await self.app(scope, receive, send_guarded)


def _refusal(scope: Scope, headers: Headers) -> PlainTextResponse | None:
    host = headers.get("host", "")
    if not _known_host(host):
        return PlainTextResponse("This address is not known here.", 400)
    path: str = scope["path"]
    if "\0" in path or b"%00" in scope["query_string"] or b"\0" in scope["query_string"]:
        return PlainTextResponse("This address holds a NUL, which no text of ours has.", 400)
    if scope["method"] in _SAFE or path.startswith(_COOKIELESS):
        return None
    if headers.get("authorization", "").lower().startswith("bearer "):
        return None  # no browser adds this by itself
    site = headers.get("sec-fetch-site")
    if site is not None:
        allowed = site in {"same-origin", "none"}
    else:
        # An old browser, or no browser: then nothing carries somebody's cookies here without an Origin.
        origin = headers.get("origin")
        allowed = origin is None or origin.partition("://")[2] == host
    return None if allowed else PlainTextResponse("This form was sent from another site.", 403)


def _known_host(host: str) -> bool:
    if not host:
        return False
    own = urlsplit(settings().public_url).netloc
    name, colon, port = host.partition(":")
    if colon and not (port.isascii() and port.isdigit() and len(port) <= 5):
        return host == own
    if settings().allowed_hosts:
        return name in settings().allowed_hosts.split(",") or host == own
    return host == own or name in {"127.0.0.1", "localhost", "testserver"}


def _dress(headers: MutableHeaders, path: str, nonce: str) -> None:
    for name, value in _FIXED.items():
        headers.setdefault(name, value)
    if settings().secure:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
    headers["Content-Security-Policy"] = policy(path, nonce)
    if headers.get("content-type", "").startswith(("text/html", "application/json", "application/problem")):
        headers.setdefault("Cache-Control", "no-store")


def policy(path: str, nonce: str) -> str:
    """The content security policy of a path. The pay page lets Stripe's script in; from the order page the way leads
    on to Stripe and Alipay, and browsers hold form-action against redirects too."""
    script, connect, frame, form = f"'self' 'nonce-{nonce}'", "'self'", "'none'", "'self'"
    stripe = "{0.scheme}://{0.netloc}".format(urlsplit(settings().stripe_js_url))
    if path.startswith("/orders/") and stripe != settings().public_url:
        form += " https://*.stripe.com https://*.alipay.com"
        if path.endswith("/pay"):
            script += f" {stripe}"
            connect += " https://api.stripe.com"
            frame = f"{stripe} https://hooks.stripe.com"
    return (
        f"default-src 'none'; script-src {script}; style-src 'self'; img-src 'self' data:; "
        f"connect-src {connect}; frame-src {frame}; form-action {form}; base-uri 'none'; object-src 'none'; "
        "manifest-src 'self'; frame-ancestors 'none'"
    )
