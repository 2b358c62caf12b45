"""Shoppers' sessions on the event loop: those of requests that arrive together are read together."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import select, update
from starlette.requests import HTTPConnection

from runtime import clock
from runtime.db import among, reading, table, writing
from runtime.facts import Unauthorized
from runtime.gathering import Gathering
from storefront import accounts
from storefront.models import Account, ShopperSession

RENEWED = timedelta(minutes=1)  # how far behind seen_at may be
_PAUSE = 1.0  # seconds in which renewals gather, so that looking up costs no commit of its own


@dataclass(frozen=True)
class SignedIn:
    """Who asks: ids, and the phone that codes and news are sent to."""

    account: str
    phone: str = field(repr=False)


async def of_request(request: HTTPConnection) -> SignedIn:
    """As accounts.of_request, by the session's row; raises Unauthorized, Unavailable."""
    identity = accounts.identify(request)
    found = await _reading.awaited(identity.session) if identity else None
    if found is None:
        raise Unauthorized
    return found


def _read(ids: Sequence[str]) -> list[SignedIn | None]:
    """Who each session speaks for; None for one that is unknown, ended or idle for too long."""
    at, found = clock.now(), {}
    with reading() as session:
        rows = session.execute(_THESE, {"ids": ids}).all()
    for row in rows:
        if not accounts.is_over(row.revoked_at, row.seen_at, at):
            found[row.id] = SignedIn(row.account, row.phone)
            if row.seen_at < at - RENEWED:
                _renewing.tell(row.id)
    return [found.get(one) for one in ids]


def _renew(ids: Sequence[str]) -> list[None]:
    """Seen now."""
    with writing() as session:
        seen = update(ShopperSession).where(ShopperSession.id.in_(ids)).values(seen_at=clock.now())
        session.execute(seen.execution_options(synchronize_session=False))
    return [None for _ in ids]


_SESSION, _ACCOUNT = table(ShopperSession), table(Account)
# By id alone: given more to choose from, a database may go by all the sessions that are not ended.
_THESE = (
    select(_SESSION.c.id, _SESSION.c.account, _SESSION.c.seen_at, _SESSION.c.revoked_at, _ACCOUNT.c.phone)
    .join(_ACCOUNT, _ACCOUNT.c.id == _SESSION.c.account)
    .where(among(_SESSION.c.id, "ids"))
)
_reading: Gathering[str, SignedIn | None] = Gathering("sessions", _read)
_renewing: Gathering[str, None] = Gathering(
    "sessions.renewals", _renew, batch=5_000, waiting=50_000, pause=_PAUSE
)
