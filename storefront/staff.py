"""Staff: ops users, their passwords and sessions. Apart from shoppers: own table, own cookie, short lives."""

import base64
import hashlib
import hmac
import secrets
from datetime import timedelta
from functools import lru_cache

from sqlalchemy import delete, update
from sqlalchemy.orm import Session
from starlette.requests import HTTPConnection
from starlette.responses import Response

from runtime import clock
from runtime.crypto import digest
from runtime.db import reading, writing
from runtime.facts import N_, Invalid, TooMany
from runtime.settings import settings
from storefront.models import OpsSession, OpsUser

ROLES = ("viewer", "launcher", "finance", "admin")
_MAY = {
    "view": {"viewer", "launcher", "finance", "admin"},
    "launch": {"launcher", "admin"},
    "refund": {"finance", "admin"},
    "admin": {"admin"},
}
IDLE = timedelta(minutes=10)
LIFETIME = timedelta(hours=8)
_TRIES, _LOCK = 5, timedelta(minutes=5)
_WRONG = N_("Login or password is not right.")


def may(user: OpsUser, what: str) -> bool:
    """May this user do that: view, launch, refund, admin."""
    return user.role in _MAY[what]


def add(session: Session, login: str, password: str, role: str) -> None:
    """Add a member of staff, or give an existing one a new password and role; who is signed in as them is out."""
    if role not in ROLES:
        raise Invalid(role=N_("The role must be viewer, launcher, finance or admin."))
    if len(password) < 12:
        raise Invalid(password=N_("The password must have at least 12 characters."))
    session.execute(delete(OpsSession).where(OpsSession.login == login))
    session.merge(
        OpsUser(
            login=login,
            password_hash=_hash(password),
            role=role,
            failures=0,
            locked_until=None,
            created_at=clock.now(),
        )
    )


def log_in(login: str, password: str) -> tuple[OpsUser, str]:
    """The user and a new token; raises Invalid(password), or TooMany after five failures."""
    at = clock.now()
    with reading() as session:
        user = session.get(OpsUser, login)
    if user and user.locked_until and user.locked_until > at:
        raise TooMany(retry_after=int((user.locked_until - at).total_seconds()) + 1)
    # The same work for a login that does not exist: time tells nothing.
    right = _matches(password, user.password_hash if user else _nobodys_hash())
    if user is None or not right:
        if user is not None:
            _count_failure(login)
        raise Invalid(password=_WRONG)
    token = secrets.token_urlsafe(32)
    with writing() as session:
        session.execute(update(OpsUser).where(OpsUser.login == login).values(failures=0, locked_until=None))
        session.execute(delete(OpsSession).where(OpsSession.created_at < at - LIFETIME))
        session.add(OpsSession(id=_key(token), login=login, created_at=at, seen_at=at))
    return user, token


def log_out(token: str) -> None:
    with writing() as session:
        session.execute(delete(OpsSession).where(OpsSession.id == _key(token)))


def of_request(request: HTTPConnection) -> OpsUser | None:
    """Who of the staff asks; renews the idle time."""
    token = request.cookies.get(cookie_name(), "")
    if not token:
        return None
    at = clock.now()
    with reading() as session:
        row = session.get(OpsSession, _key(token))
        if row is None or row.seen_at < at - IDLE or row.created_at < at - LIFETIME:
            return None
        user = session.get(OpsUser, row.login)
    if row.seen_at < at - timedelta(seconds=30):
        with writing() as session:
            session.execute(update(OpsSession).where(OpsSession.id == row.id).values(seen_at=at))
    return user


def csrf_token(request: HTTPConnection) -> str:
    return digest("ops-csrf", request.cookies.get(cookie_name(), ""))[:32]


def cookie_name() -> str:
    return "__Host-ops" if settings().secure else "ops"


def set_cookie(response: Response, token: str) -> None:
    response.set_cookie(
        cookie_name(), token, max_age=int(LIFETIME.total_seconds()), path="/",
        secure=settings().secure, httponly=True, samesite="strict",
    )  # fmt: skip


def clear_cookie(response: Response) -> None:
    response.delete_cookie(
        cookie_name(), path="/", secure=settings().secure, httponly=True, samesite="strict"
    )


def _count_failure(login: str) -> None:
    with writing() as session:
        session.execute(update(OpsUser).where(OpsUser.login == login).values(failures=OpsUser.failures + 1))
        session.execute(
            update(OpsUser)
            .where(OpsUser.login == login, OpsUser.failures >= _TRIES)
            .values(failures=0, locked_until=clock.now() + _LOCK)
        )


def _key(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _hash(password: str) -> str:
    salt = secrets.token_bytes(16)
    return f"scrypt${base64.b64encode(salt).decode()}${base64.b64encode(_scrypt(password, salt)).decode()}"


@lru_cache
def _nobodys_hash() -> str:
    """Made once: made at each try it would double the time an unknown login takes."""
    return _hash(secrets.token_hex(16))


def _matches(password: str, kept: str) -> bool:
    _, salt, key = kept.split("$")
    return hmac.compare_digest(_scrypt(password, base64.b64decode(salt)), base64.b64decode(key))


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1, maxmem=64 * 1024 * 1024)
