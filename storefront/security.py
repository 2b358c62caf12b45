"""What every request passes: host check, CSRF by Fetch Metadata, CSP and the other headers. Plain ASGI."""

import secrets
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.settings import settings

Raw = tuple[bytes, bytes]  # a header as the server takes it

_SAFE = {"GET", "HEAD", "OPTIONS"}
# Machines without cookies: they prove themselves by a signature or a bearer token, and cookies are not read there.
_COOKIELESS = ("/stripe/webhook", "/partner/")

_FIXED: tuple[Raw, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_DOCUMENT: tuple[Raw, ...] = (  # JSON opens no window, sends nobody on and has no camera
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(self)"),
)
_HTTPS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
_NOT_KEPT = (b"cache-control", b"no-store")
_JSON = (b"application/json", b"application/problem")
_POLICY = b"content-security-policy"
_JSON_POLICY = (_POLICY, b"default-src 'none'; frame-ancestors 'none'")  # nothing to load there


class Guard:
    """Middleware around the whole app; sets `request.state.nonce`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if refused := refusal(scope, given(scope)):
            return await refused(scope, receive, send)
        nonce = secrets.token_urlsafe(16)
        scope.setdefault("state", {})["nonce"] = nonce

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _dressed(list(message["headers"]), scope["path"], nonce)
            await send(message)

        await self.app(scope, receive, send_guarded)


def given(scope: Scope) -> dict[bytes, bytes]:
    """A request's headers; of several with one name the first."""
    return dict(scope["headers"][::-1])


def refusal(scope: Scope, headers: dict[bytes, bytes]) -> PlainTextResponse | None:
    """Why a request is turned away before anybody looks at it, or None. `headers` as given() has them."""
    own, host = settings(), headers.get(b"host", b"")
    if not _known_host(host, own.public_url, own.allowed_hosts):
        return PlainTextResponse("This address is not known here.", 400)
    path, query = scope["path"], scope["query_string"]
    if "\0" in path or (query and (b"%00" in query or b"\0" in query)):
        return PlainTextResponse("This address holds a NUL, which no text of ours has.", 400)
    if not (query.isascii() or _is_utf8(query)):
        return PlainTextResponse("This address is not UTF-8.", 400)
    if scope["method"] in _SAFE or path.startswith(_COOKIELESS):
        return None
    if headers.get(b"authorization", b"")[:7].lower() == b"bearer ":
        return None  # no browser adds this by itself
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        allowed = site in {b"same-origin", b"none"}
    else:
        # An old browser, or no browser: then nothing carries somebody's cookies here without an Origin.
        origin = headers.get(b"origin")
        allowed = origin is None or origin.partition(b"://")[2] == host
    return None if allowed else PlainTextResponse("This form was sent from another site.", 403)


def _is_utf8(query: bytes) -> bool:
    try:
        query.decode()
    except UnicodeDecodeError:
        return False
    return True


@lru_cache(maxsize=256)
def _known_host(raw: bytes, public_url: str, allowed_hosts: str) -> bool:
    host = raw.decode("latin-1")
    if not host:
        return False
    own = urlsplit(public_url).netloc
    name, colon, port = host.partition(":")
    if colon and not (port.isascii() and port.isdigit() and len(port) <= 5):
        return host == own
    if allowed_hosts:
        return name in allowed_hosts.split(",") or host == own
    return host == own or name in {"127.0.0.1", "localhost", "testserver"}


def json_headers() -> tuple[Raw, ...]:
    """What stands on every JSON answer beside its own headers."""
    return _json_headers(settings().secure)


@lru_cache
def _json_headers(secure: bool) -> tuple[Raw, ...]:
    return (*_FIXED, *((_HTTPS,) if secure else ()), _JSON_POLICY, _NOT_KEPT)


def _dressed(headers: list[Raw], path: str, nonce: str) -> list[Raw]:
    """An answer's headers with ours; where both say something the answer's own stands, but for the policy."""
    own = dict(headers)
    kind = own.get(b"content-type", b"")
    if kind.startswith(_JSON):
        ours = json_headers()
    else:
        ours = (*_FIXED, *_DOCUMENT, (_POLICY, policy(path, nonce).encode()))
        ours += (_HTTPS,) if settings().secure else ()
        ours += (_NOT_KEPT,) if kind.startswith(b"text/html") else ()
    if _POLICY in own:
        headers = [header for header in headers if header[0] != _POLICY]
    return headers + [header for header in ours if header[0] not in own or header[0] == _POLICY]


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
        "manifest-src 'self'; worker-src 'self'; frame-ancestors 'none'"
    )
