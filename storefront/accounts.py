"""Accounts: signing in with a code sent to the phone, and the sealed token a session travels in.

The token is sealed, so it can be checked without a look-up where every microsecond counts (`identify`);
everywhere else the session's row is read as well (`of_request`)."""

import base64
import binascii
import secrets
import threading
from collections.abc import Iterable
from datetime import datetime, timedelta
from ipaddress import IPv6Network

import msgspec
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from starlette.requests import HTTPConnection
from starlette.responses import Response

from kyc import codes, people, phones
from runtime import clock
from runtime.bulk import insert_new
from runtime.crypto import SealError, blind_index, digest, seal, unseal
from runtime.db import reading, writing
from runtime.facts import N_, Invalid, TooMany
from runtime.ids import new_id
from runtime.settings import settings
from storefront.models import Account, CodeRequest, ShopperSession

IDLE = timedelta(minutes=30)
LIFETIME = timedelta(hours=12)
_PLAIN_ALPHABET = bytes.maketrans(b"-_", b"+/")  # base64 of addresses to base64 of RFC 2045
_API_BINDING = "api"  # clients without cookies; a browser's codes are bound to its own cookie


class Identity(msgspec.Struct, frozen=True):
    """Who a token speaks for: ids only. `person` is the keyed digest of a verified ID, or empty."""

    session: str
    account: str
    person: str
    expires_ms: int  # since 1970


_revoked: set[str] = set()
_revoked_seen: list[datetime] = []
_lock = threading.Lock()


def request_code(phone: str, binding: str, *, address: str = "") -> str:
    """Send a login code; gives the normalised phone. Raises Invalid(phone) or TooMany(retry_after).

    The answer is the same for known and unknown numbers."""
    number = phones.normalise(phone)
    with writing() as session:
        if address:
            _count_address(session, address)
        codes.send(session, number, purpose="login", binding=binding or _API_BINDING)
    return number


def log_in(phone: str, code: str, binding: str) -> tuple[Account, str]:
    """The account of a phone and a new token for it; raises Invalid(code). A new phone makes an account."""
    number = phones.normalise(phone)
    with writing() as session:  # commits also when the code is wrong: tries must count
        right = codes.check(session, number, purpose="login", binding=binding or _API_BINDING, code=code)
    if not right:
        raise Invalid(code=N_("This code is not right or no longer valid. Ask for a new one."))
    index, at = blind_index(number), clock.now()
    with writing() as session:
        row = {
            "id": new_id("acc"), "phone_index": index, "phone": number,
            "phone_masked": phones.mask(number), "created_at": at,
        }  # fmt: skip
        insert_new(session, Account, [row])
        account = session.scalars(select(Account).where(Account.phone_index == index)).one()
        opened = ShopperSession(id=secrets.token_hex(16), account=account.id, created_at=at, seen_at=at)
        session.add(opened)
        person = people.of_account(session, account.id)
    verified = person.id_index if person and person.state == "verified" else ""
    return account, sealed(Identity(opened.id, account.id, verified, clock.epoch_ms(at + LIFETIME)))


def log_out(token: str) -> None:
    """End the session of a token, in every process within two seconds."""
    if identity := _open(token):
        with writing() as session:
            session.execute(
                update(ShopperSession)
                .where(ShopperSession.id == identity.session, ShopperSession.revoked_at.is_(None))
                .values(revoked_at=clock.now())
            )
        _revoked.add(identity.session)


def log_out_everywhere(account: str) -> None:
    """End every session of an account, in every process within two seconds."""
    with writing() as session:
        ended = end_all(session, account)
    known_ended(ended)


def end_all(session: Session, account: str) -> list[str]:
    """End an account's sessions in the caller's transaction; gives their ids, for known_ended() after the commit."""
    return list(
        session.scalars(
            update(ShopperSession)
            .where(ShopperSession.account == account, ShopperSession.revoked_at.is_(None))
            .values(revoked_at=clock.now())
            .returning(ShopperSession.id)
        )
    )


def known_ended(sessions: Iterable[str]) -> None:
    """This process knows at once that these sessions are over."""
    _revoked.update(sessions)


def token_of(request: HTTPConnection) -> str:
    """The token in `Authorization: Bearer` or in the cookie."""
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    return bearer.strip() if scheme.lower() == "bearer" else request.cookies.get(cookie_name(), "")


def identify(request: HTTPConnection) -> Identity | None:
    """Who asks, from the token alone: no SQL, no Redis. Signed-out sessions are known by `refresh_revoked`."""
    return speaks_for(token_of(request))


def speaks_for(token: str) -> Identity | None:
    """The same for a token in hand."""
    identity = _open(token)
    return identity if identity and identity.session not in _revoked else None


def of_request(request: HTTPConnection) -> tuple[Account, Identity] | None:
    """Who asks, with the session's row read and its idle time renewed (at most once a minute)."""
    identity = identify(request)
    if not identity:
        return None
    at = clock.now()
    with reading() as session:
        row = session.get(ShopperSession, identity.session)
        if row is None or is_over(row.revoked_at, row.seen_at, at):
            return None
        account = session.get_one(Account, identity.account)
    if row.seen_at < at - timedelta(minutes=1):
        with writing() as session:
            session.execute(
                update(ShopperSession).where(ShopperSession.id == identity.session).values(seen_at=at)
            )
    return account, identity


def is_over(revoked_at: datetime | None, seen_at: datetime, at: datetime) -> bool:
    """Was a session ended, or idle for too long?"""
    return revoked_at is not None or seen_at < at - IDLE


def csrf_token(identity: Identity) -> str:
    return digest("csrf", identity.session)[:32]


def refresh_revoked() -> None:
    """Learn which sessions were ended in other processes; called every two seconds in each web process."""
    with _lock:
        since = _revoked_seen[0] if _revoked_seen else clock.now() - LIFETIME
        at = clock.now()
        with reading() as session:
            ended = session.scalars(
                select(ShopperSession.id).where(ShopperSession.revoked_at >= since - timedelta(seconds=30))
            )
            _revoked.update(ended)
        _revoked_seen[:] = [at]


def cookie_name() -> str:
    return "__Host-sid" if settings().secure else "sid"


def set_cookie(response: Response, token: str) -> None:
    response.set_cookie(
        cookie_name(), token, max_age=int(LIFETIME.total_seconds()), path="/",
        secure=settings().secure, httponly=True, samesite="lax",
    )  # fmt: skip


def clear_cookie(response: Response) -> None:
    response.delete_cookie(cookie_name(), path="/", secure=settings().secure, httponly=True, samesite="lax")


def binding(request: HTTPConnection, response: Response | None = None) -> str:
    """The browser's own secret that a login code is bound to; set on `response` where there is none yet."""
    name = "__Host-bind" if settings().secure else "bind"  # no other host can put its own there
    found: str = request.cookies.get(name, "")
    if not found and response is not None:
        found = secrets.token_urlsafe(24)
        response.set_cookie(
            name, found, max_age=3600, path="/", secure=settings().secure, httponly=True, samesite="lax"
        )
    return found


def sealed(identity: Identity) -> str:
    """The token of a session: what `identify` opens again."""
    packed = msgspec.msgpack.encode(
        [identity.session, identity.account, identity.person, identity.expires_ms]
    )
    return base64.urlsafe_b64encode(seal(packed, "session")).decode().rstrip("=")


def _open(token: str) -> Identity | None:
    if not token or len(token) > 400:
        return None
    try:
        identity = _unsealed(token)
    except (SealError, binascii.Error, ValueError):
        return None
    return identity if clock.now_ms() < identity.expires_ms else None


def _unsealed(token: str) -> Identity:
    """What a token says. Not kept: in a rush each shopper's is another one, and keeping them costs more than this."""
    packed = unseal(binascii.a2b_base64(token.encode("ascii").translate(_PLAIN_ALPHABET) + b"=="), "session")
    session, account, person, expires = msgspec.msgpack.decode(packed)
    return Identity(session, account, person, expires)


def network_digest(address: str) -> str:
    """A keyed digest of where a client comes from; an IPv6 client's is its network's."""
    return digest("address", _network(address))[:24]


def _network(address: str) -> str:
    """An IPv6 client has 2**64 addresses to ask from, so its network counts."""
    try:
        return str(IPv6Network((address, 64), strict=False))
    except ValueError:
        return address


def _count_address(session: Session, address: str) -> None:
    at, who = clock.now(), network_digest(address)
    recent = select(func.count()).where(CodeRequest.address == who, CodeRequest.at > at - timedelta(hours=1))
    if session.scalars(recent).one() >= settings().codes_per_address:
        raise TooMany(N_("Too many codes were asked for from here. Please try again later."), retry_after=600)
    session.add(CodeRequest(id=new_id("crq"), address=who, at=at))
