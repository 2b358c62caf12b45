"""Pages: a plain function of the request and its form, run in a thread, with the shopper or the staff known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from runtime.facts import N_, Forbidden
from storefront import accounts, language, staff

Form = dict[str, str]
PageCall = Callable[[Request, Form], Response]
_STALE = N_("This page was open for too long. Please go back, reload and try again; nothing was done.")


@dataclass(frozen=True)
class Page:
    """A page or the action of a form. `needs` is what an ops page asks of its user, empty for shoppers' pages;
    `files` how many files its form may bring, found in `request.state.files` by field as name and bytes."""

    method: str
    path: str
    call: PageCall
    login: bool
    name: str
    needs: str
    files: int = 0


def page(
    method: str, path: str, *, login: bool = False, name: str | None = None
) -> Callable[[PageCall], Page]:
    """A shopper's page. With `login`, who is not signed in is sent to /login and comes back."""
    return lambda call: Page(method, path, call, login, name or call.__name__, "")


def ops_page(
    method: str,
    path: str,
    *,
    needs: str = "view",
    name: str | None = None,
    login: bool = True,
    files: int = 0,
) -> Callable[[PageCall], Page]:
    """A page of the ops console; `needs` is view, launch, refund or admin (see staff.may)."""
    return lambda call: Page(method, path, call, login, name or f"ops_{call.__name__}", needs, files)


def routes(pages: Sequence[Page]) -> list[Route]:
    return [Route(p.path, _app(p), methods=[p.method], name=p.name) for p in pages]


def _app(page: Page) -> Callable[[Request], object]:
    async def run(request: Request) -> Response:
        form: Form = {}
        if page.method == "POST":
            async with request.form(max_files=page.files, max_fields=200) as sent:
                form = {key: value for key, value in sent.items() if isinstance(value, str)}
                request.state.files = {
                    key: (value.filename or "", await value.read())
                    for key, value in sent.items()
                    if not isinstance(value, str)
                }
            if not all(_is_text(part) for pair in form.items() for part in pair):
                raise HTTPException(400)
        return await run_in_threadpool(_serve, page, request, form)

    run.page = page  # type: ignore[attr-defined]
    return run


def _is_text(part: str) -> bool:
    """Can it be kept? NUL cannot, nor half a surrogate pair, which some charsets of a multipart form let in."""
    return "\0" not in part and not any("\ud800" <= character <= "\udfff" for character in part)


def _serve(page: Page, request: Request, form: Form) -> Response:
    state = request.state
    state.lang = language.of(request)
    state.account, state.identity, state.ops, state.csrf = None, None, None, ""
    return _serve_ops(page, request, form) if page.needs else _serve_shopper(page, request, form)


def _serve_shopper(page: Page, request: Request, form: Form) -> Response:
    if known := accounts.of_request(request):
        request.state.account, request.state.identity = known
        request.state.csrf = accounts.csrf_token(known[1])
    elif page.login:
        return RedirectResponse(f"/login?next={quote(_back(request), safe='')}", 303)
    _check_csrf(page, request, form)
    return page.call(request, form)


def _serve_ops(page: Page, request: Request, form: Form) -> Response:
    request.state.ops = user = staff.of_request(request)
    if user is None:
        if page.login:
            return RedirectResponse(f"/ops/login?next={quote(_back(request), safe='')}", 303)
        return page.call(request, form)
    request.state.csrf = staff.csrf_token(request)
    if page.login and not staff.may(user, page.needs):
        raise Forbidden(N_("Your role does not allow this."))
    _check_csrf(page, request, form)
    return page.call(request, form)


def _check_csrf(page: Page, request: Request, form: Form) -> None:
    """Second line behind the Fetch Metadata check: a form carries its session's own token."""
    if page.method == "POST" and page.login and form.get("csrf") != request.state.csrf:
        raise Forbidden(_STALE)


def _back(request: Request) -> str:
    """Where to return to after signing in: the page itself, or for a form the page it stands on."""
    if request.method == "GET":
        return request.url.path + (f"?{request.url.query}" if request.url.query else "")
    path, _, last = request.url.path.rpartition("/")
    return path if last else "/"
