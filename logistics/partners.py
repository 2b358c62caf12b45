"""Partners: a courier's machine and its OAuth2 client credentials, scopes and bearer tokens."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from logistics.models import Courier, Partner, PartnerToken
from runtime import clock
from runtime.facts import N_, Forbidden, Invalid, NotFound, Unauthorized

SCOPES = ("manifests:read", "receipts:write", "scans:write")
TOKEN_SECONDS = 600


@dataclass(frozen=True)
class Caller:
    """Who a token speaks for. The courier comes from here and from nowhere else."""

    client_id: str
    courier: str
    scopes: frozenset[str]


@dataclass(frozen=True)
class Grant:
    """A fresh token; only its SHA-256 is kept."""

    token: str
    seconds: int
    scopes: tuple[str, ...]


class Refused(Exception):
    """A token is refused; `error` is RFC 6749's word for it."""

    def __init__(self, error: str, sentence: str) -> None:
        super().__init__(sentence)
        self.error = error
        self.sentence = sentence


def add(session: Session, *, name: str, courier: str, scopes: Sequence[str] = SCOPES) -> tuple[str, str]:
    """A new partner: (client_id, secret). The secret is shown this once and kept as SHA-256 only: it has 256 random
    bits, so nothing slower is needed. Raises Invalid, NotFound(courier)."""
    if session.get(Courier, courier) is None:
        raise NotFound(courier=courier)
    if unknown := sorted(set(scopes) - set(SCOPES)):
        raise Invalid(scopes=N_("Unknown scope: ") + ", ".join(unknown))
    client_id, secret = f"{courier.lower()}-{secrets.token_hex(6)}", _new_secret()
    session.add(
        Partner(
            client_id=client_id,
            name=name,
            courier=courier,
            scopes=[s for s in SCOPES if s in scopes],
            secret_hash=_hash(secret),
            active=True,
        )
    )
    session.flush()
    return client_id, secret


def rotate(session: Session, client_id: str) -> str:
    """A new secret beside the present one, which lives on until retire() or the next rotation. Raises NotFound."""
    partner = _find(session, client_id)
    secret = _new_secret()
    partner.previous_hash, partner.secret_hash = partner.secret_hash, _hash(secret)
    partner.rotated_at = clock.now()
    session.flush()
    return secret


def retire(session: Session, client_id: str) -> None:
    """End the secret before the last rotation; tokens it fetched end within TOKEN_SECONDS. Raises NotFound."""
    _find(session, client_id).previous_hash = None
    session.flush()


def set_active(session: Session, client_id: str, active: bool) -> None:
    """Shut a partner out, its tokens with it, or let it in again. Raises NotFound."""
    _find(session, client_id).active = active
    session.execute(delete(PartnerToken).where(PartnerToken.client_id == client_id))
    session.flush()


def listing(session: Session) -> list[Partner]:
    return list(session.scalars(select(Partner).order_by(Partner.courier, Partner.client_id)))


def grant(session: Session, client_id: str, secret: str, scope: str = "") -> Grant:
    """A bearer token for right credentials; `scope` is a list by blanks, empty for all the partner has.

    An unknown client takes as long as a wrong secret. Raises Refused."""
    partner = session.get(Partner, client_id)
    hashes = (partner.secret_hash, partner.previous_hash or "") if partner else ("", "")
    given = _hash(secret)
    fits = [hmac.compare_digest(given, known) for known in hashes]  # both, so the time does not tell which
    if partner is None or not partner.active or not any(fits):
        raise Refused("invalid_client", "Unknown client_id or wrong client_secret.")
    wanted = scope.split() or list(partner.scopes)
    if beyond := sorted(set(wanted) - set(partner.scopes)):
        raise Refused("invalid_scope", f"This client may not ask for {', '.join(beyond)}.")
    scopes = tuple(s for s in SCOPES if s in wanted)
    token, now = secrets.token_urlsafe(32), clock.now()
    session.execute(delete(PartnerToken).where(PartnerToken.expires_at <= now))
    expires = now + timedelta(seconds=TOKEN_SECONDS)
    session.add(
        PartnerToken(token_hash=_hash(token), client_id=client_id, scopes=list(scopes), expires_at=expires)
    )
    session.flush()
    return Grant(token, TOKEN_SECONDS, scopes)


def of_token(session: Session, token: str, scope: str) -> Caller:
    """The partner a live token speaks for; raises Unauthorized, or Forbidden when it lacks the scope."""
    found = session.execute(
        select(PartnerToken, Partner)
        .join(Partner, Partner.client_id == PartnerToken.client_id)
        .where(PartnerToken.token_hash == _hash(token), PartnerToken.expires_at > clock.now(), Partner.active)
    ).first()
    if found is None:
        raise Unauthorized(N_("Send a live token of the token endpoint as Authorization: Bearer."))
    kept, partner = found
    if scope not in kept.scopes:
        raise Forbidden(N_("This token lacks the scope."), scope=scope)
    return Caller(partner.client_id, partner.courier, frozenset(kept.scopes))


def _find(session: Session, client_id: str) -> Partner:
    partner = session.get(Partner, client_id)
    if partner is None:
        raise NotFound(client=client_id)
    return partner


def _new_secret() -> str:
    return "hks_" + secrets.token_urlsafe(32)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
