"""One-time codes by SMS: to sign in, to sign a contract, to open the door to the courier."""

import hmac
import math
import secrets
import unicodedata
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from kyc import phones, sms
from kyc.models import CodeTurn, OneTimeCode
from runtime import clock
from runtime.bulk import insert_new
from runtime.crypto import blind_index, digest
from runtime.facts import N_, TooMany
from runtime.ids import new_id
from runtime.log import log
from runtime.settings import settings

Purpose = Literal["login", "sign", "door"]

TRIES = 5  # wrong codes until a code is burnt
LIMITS = ((60, 1), (3_600, 5), (86_400, 10))  # at most so many codes in so many seconds, a phone and purpose
# Wrong codes in an hour over all phones. Guessing at many phones at once stays under every phone's own limit and
# shows only here. Three times what a busy drop brings.
FAILED_PER_HOUR = 3_000

_WAIT = N_("A code was sent to this number. Please wait before you ask for another.")
_TEXTS: dict[Purpose, tuple[str, str]] = {
    "login": ("您正在登录", "to sign in"),
    "sign": ("您正在签署入网协议", "to sign your contract"),
    "door": ("签收时请出示给快递员", "for the courier at your door"),
}


def send(session: Session, phone: str, *, purpose: Purpose, binding: str) -> None:
    """Send a new code; it works only for the same purpose and `binding` (a session, an order), and once.

    An older code of the same three is burnt. Raises Invalid(phone=...), TooMany(retry_after=s).
    """
    phone = phones.normalise(phone)
    at, index = clock.now(), _phone_index(phone)
    _take_turn(session, f"{purpose}:{index}", at)
    _within_limits(session, index, purpose, at)
    bound = _bound(binding)
    older = update(OneTimeCode).where(
        OneTimeCode.phone_index == index,
        OneTimeCode.purpose == purpose,
        OneTimeCode.binding == bound,
        OneTimeCode.state == "live",
    )
    session.execute(older.values(state="burnt"))
    code_id, code = new_id("otc"), f"{secrets.randbelow(1_000_000):06d}"
    lasts = settings().code_seconds
    session.add(
        OneTimeCode(
            id=code_id,
            phone_index=index,
            purpose=purpose,
            binding=bound,
            code=_digest(code_id, index, code),
            state="live",
            sent_at=at,
            expires_at=at + timedelta(seconds=lasts),
        )
    )
    chinese, english = _TEXTS[purpose]
    minutes = lasts // 60
    sms.text(
        session,
        phone,
        f"【号卡】验证码 {code}，{chinese}，{minutes} 分钟内有效，请勿告诉他人。"
        f"Haoka code {code} {english}, valid {minutes} min. Keep it to yourself.",
        lasts=lasts,
    )


def _take_turn(session: Session, key: str, at: datetime) -> None:
    """Two requests for one phone count one after the other: the row stays locked until the first commits."""
    if not insert_new(session, CodeTurn, [{"key": key, "at": at}]):
        session.execute(update(CodeTurn).where(CodeTurn.key == key).values(at=at))


def _within_limits(session: Session, index: str, purpose: Purpose, at: datetime) -> None:
    most = max(limit for _, limit in LIMITS)
    sent = session.scalars(
        select(OneTimeCode.sent_at)
        .where(OneTimeCode.phone_index == index, OneTimeCode.purpose == purpose)
        .order_by(OneTimeCode.sent_at.desc())
        .limit(most)
    ).all()
    free_at = [sent[limit - 1] + timedelta(seconds=window) for window, limit in LIMITS if len(sent) >= limit]
    if free_at and max(free_at) > at:
        seconds = math.ceil((max(free_at) - at).total_seconds())
        raise TooMany(_WAIT, retry_after=seconds)


def check(session: Session, phone: str, *, purpose: Purpose, binding: str, code: str) -> bool:
    """Is it the code? The caller commits also when not, since the try counts. Raises Invalid(phone=...).

    The try is counted before the code is compared and by the same row that parallel guesses must update, so that
    a thousand guesses at once are still five.
    """
    index, at = _phone_index(phones.normalise(phone)), clock.now()
    live = session.scalar(
        select(OneTimeCode.id)
        .where(
            OneTimeCode.phone_index == index,
            OneTimeCode.purpose == purpose,
            OneTimeCode.binding == _bound(binding),
            OneTimeCode.state == "live",
        )
        .order_by(OneTimeCode.sent_at.desc())
        .limit(1)
    )
    counted = session.execute(
        update(OneTimeCode)
        .where(OneTimeCode.id == live, OneTimeCode.state == "live", OneTimeCode.expires_at > at)
        .values(tries=OneTimeCode.tries + 1)
        .returning(OneTimeCode.id, OneTimeCode.code, OneTimeCode.tries)
    ).one_or_none()
    if counted is None:
        return False
    given = "".join(unicodedata.normalize("NFKC", code).split())
    right = hmac.compare_digest(counted.code, _digest(counted.id, index, given))
    if right or counted.tries >= TRIES:
        state = "used" if right else "burnt"
        session.execute(update(OneTimeCode).where(OneTimeCode.id == counted.id).values(state=state))
    if not right:
        _watch(session, at)
    return right


def _watch(session: Session, at: datetime) -> None:
    """Alarm when wrong codes over all phones pass the hour's budget. No breaker: that would be a way to lock
    everybody out."""
    recent = OneTimeCode.sent_at > at - timedelta(hours=1)
    failed = (
        session.scalar(select(func.sum(OneTimeCode.tries)).where(recent, OneTimeCode.state != "used")) or 0
    )
    if failed >= FAILED_PER_HOUR:
        log.error("codes.failed_budget", failed=failed, budget=FAILED_PER_HOUR)


def _phone_index(phone: str) -> str:
    return blind_index(f"phone\x1f{phone}")


def _bound(binding: str) -> str:
    return digest("code.binding", binding)


def _digest(code_id: str, phone_index: str, code: str) -> str:
    """The code's digest is of its own row and phone: the million codes cannot be tabled once for all."""
    return digest("code", code_id, phone_index, code)
