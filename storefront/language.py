"""Which language a request wants: the cookie's, else the first of Accept-Language that we speak."""

from starlette.requests import HTTPConnection

from storefront import i18n


def of(request: HTTPConnection) -> str:
    chosen = request.cookies.get("lang", "")
    if chosen in i18n.LANGUAGES:
        return chosen
    for part in request.headers.get("accept-language", "").split(","):
        tongue = part.partition(";")[0].strip().lower().partition("-")[0]
        if tongue in i18n.LANGUAGES:
            return tongue
    return "en" if _machine(request) else i18n.DEFAULT


def _machine(request: HTTPConnection) -> bool:
    """A client that names no language and takes anything (curl, an SDK) reads English."""
    return "accept-language" not in request.headers and "text/html" not in request.headers.get("accept", "")
