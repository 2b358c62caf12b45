"""Pages out of templates: the Jinja2 environment, what every page knows, how money, numbers and times read."""

import gzip
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from babel.dates import format_datetime
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from kyc import cases
from runtime import clock
from runtime.db import reading
from runtime.facts import N_, Fact
from runtime.settings import settings
from storefront import accounts, i18n, live_hold, reviews, staff, words

HERE = Path(__file__).parent
_TITLES = {
    403: N_("Not allowed"),
    404: N_("Nothing here"),
    405: N_("Not here"),
    429: N_("A little slower, please"),
    500: N_("That was our fault"),
    503: N_("Back in a moment"),
}
_FORMATS = {
    ("zh", "minute"): "M月d日 HH:mm",
    ("zh", "second"): "M月d日 HH:mm:ss",
    ("zh", "full"): "y年M月d日 HH:mm",
    ("en", "minute"): "d MMM, HH:mm",
    ("en", "second"): "d MMM, HH:mm:ss",
    ("en", "full"): "d MMM y, HH:mm",
}


def render(
    request: Request, template: str, status: int = 200, headers: dict[str, str] | None = None, **given: Any
) -> Response:
    """A page in the shopper's language."""
    language = getattr(request.state, "lang", i18n.DEFAULT)
    with i18n.speaking(language):
        html = environment().get_template(template).render(**everywhere(request), **given)
    answer = HTMLResponse(html, status, {"Content-Language": language, **(headers or {})})
    return _packed(request, answer)


def _packed(request: Request, answer: Response) -> Response:
    """Compressed for who is not signed in. A page with somebody's form token never is: what others can have reflected
    in it would tell them the token by its length (BREACH)."""
    state = request.state
    secret = getattr(state, "account", None) or getattr(state, "ops", None) or getattr(state, "csrf", "")
    if not secret and "gzip" in request.headers.get("accept-encoding", ""):
        answer.body = gzip.compress(bytes(answer.body), 1, mtime=0)
        answer.headers["Content-Encoding"] = "gzip"
        answer.headers["Content-Length"] = str(len(answer.body))
    if not secret:
        answer.headers["Vary"] = "Accept-Encoding"
    return answer


def problem_page(request: Request, status: int, fact: Fact, headers: dict[str, str]) -> Response:
    """The page of a fact that no page answered in place."""
    if not hasattr(request.state, "account") and not request.url.path.startswith("/ops"):
        known = accounts.of_request(request) if status < 500 else None
        request.state.account = known[0] if known else None
    return render(
        request, "problem.html", status, headers, status_code=status, fact=fact,
        title=_TITLES.get(status, N_("That did not work")),
    )  # fmt: skip


def everywhere(request: Request) -> dict[str, Any]:
    """What every template knows. The live hold is looked up here, so no page can forget its timer."""
    account = getattr(request.state, "account", None)
    console, user = request.url.path.startswith("/ops"), getattr(request.state, "ops", None)
    return {
        "request": request,
        "account": account,
        "ops": user,
        "reviews": lambda: _counted(cases.waiting),
        "complaints": lambda: _counted(reviews.waiting),
        "may": lambda what: user is not None and staff.may(user, what),
        "lang": i18n.spoken(),
        "languages": i18n.LANGUAGES,
        "nonce": getattr(request.state, "nonce", ""),
        "csrf": getattr(request.state, "csrf", ""),
        "hold": live_hold.of(account.id) if account and not console else None,
        "now": clock.now(),
        "sandbox": bool(settings().sandbox_url),
        "here": _here(request),
    }


def _counted(count: Callable[[Session], int]) -> int:
    """How many wait for staff; none while SQL cannot say: the page matters more than its count."""
    try:
        with reading() as session:
            return count(session)
    except SQLAlchemyError:
        return 0


def _here(request: Request) -> str:
    """Where this page can be asked for again: after a form was sent, the page the form stands on."""
    try:
        at = urlsplit(request.headers.get("referer", "/")) if request.method == "POST" else request.url
    except ValueError:  # a Referer that is no address
        return "/"
    return (at.path or "/") + (f"?{at.query}" if at.query else "")


@lru_cache
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    made.install_gettext_callables(  # type: ignore[attr-defined]
        i18n.gettext, i18n.ngettext, newstyle=True, pgettext=i18n.pgettext, npgettext=i18n.npgettext
    )
    made.filters.update(
        money=money, number=grouped, when=when, ms=clock.epoch_ms, left=left, share=share, told=i18n.sentence
    )
    made.globals.update(static=static, state_word=words.of)
    return made


def money(fen: int) -> Markup:
    """¥4,999.00 from fen, the cents smaller."""
    sign = "-" if fen < 0 else ""
    yuan, cents = divmod(abs(fen), 100)
    return Markup('<span class="money">{}¥{:,}<span class="cents">.{:02d}</span></span>').format(
        sign, yuan, cents
    )


def grouped(number: str, contains: str = "", ending: str = "", segment: str = "") -> Markup:
    """186 0012 3456, the digits that were searched for marked."""
    wanted: set[int] = set()
    if contains and (at := number.find(contains)) >= 0:
        wanted.update(range(at, at + len(contains)))
    if ending and number.endswith(ending):
        wanted.update(range(len(number) - len(ending), len(number)))
    if segment and number.startswith(segment):
        wanted.update(range(len(segment)))
    out = Markup("")
    for i, digit in enumerate(number):
        out += " " if i in (3, 7) else ""
        if i in wanted and i - 1 not in wanted:
            out += Markup("<mark>")
        out += escape(digit)
        if i in wanted and i + 1 not in wanted:
            out += Markup("</mark>")
    return Markup('<span class="number">{}</span>').format(out)


def when(at: datetime, to: str = "minute") -> Markup:
    """A time as people in Shanghai read it, to the minute, the second, or with the year (`full`)."""
    local = at.astimezone(clock.SHANGHAI)
    language = i18n.spoken()
    text = format_datetime(local, _FORMATS[language, to], locale=language)
    return Markup('<time class="num nowrap" datetime="{}">{}</time>').format(
        local.isoformat(timespec="seconds"), text
    )


def left(until: datetime) -> str:
    """Time left as people count it: 14:32, 1:05:00, 2 d 03:00:00; never below zero."""
    seconds = max(0, int((until - clock.now()).total_seconds()))
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    if days:
        return i18n.gettext("%(days)s d %(clock)s") % {
            "days": days,
            "clock": f"{hours:02d}:{minutes:02d}:{seconds:02d}",
        }
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes:02d}:{seconds:02d}"


def share(part: int, whole: int) -> float:
    """Percent, for the width of a bar."""
    return round(100 * part / whole, 3) if whole else 0.0


@lru_cache
def static(name: str) -> str:
    """Address of a static file, with its digest so that it can be cached for ever."""
    return f"/static/{name}?v={sha256((HERE / 'static' / name).read_bytes()).hexdigest()[:12]}"
