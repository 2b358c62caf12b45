"""Proof of work on joining a queue: what a thousand made-up shoppers would have to pay for in computing time.

The scheme is ALTCHA's, version 1: find the number that, written behind the salt, has the SHA-256 asked for. A
challenge is bound by its salt to one account's ticket in one drop, to a level and a time, so a solution is of use to
nobody else, and to its owner for a place that is one anyway: nothing has to be remembered of it."""

import base64
import binascii
from datetime import timedelta
from typing import Any, Literal
from urllib.parse import parse_qs

import msgspec
from altcha import v1 as altcha

from runtime import clock
from runtime.crypto import digest

LEVELS = (0, 20_000, 200_000, 1_000_000)
"""Hashes to try at most, half of it on average; a phone of 2012 tries a hundred thousand a second."""
GOOD_FOR = timedelta(minutes=20)
_LONGEST = 1_500  # characters of an answer

Challenge = dict[str, Any]


class _Solution(msgspec.Struct):
    algorithm: Literal["SHA-256"]
    challenge: str
    number: int
    salt: str
    signature: str


def make(drop_id: str, ticket: str, level: int) -> Challenge:
    """A challenge for this ticket, as ALTCHA's clients read it: algorithm, challenge, maxnumber, salt, signature."""
    bound = {
        "drop": drop_id, "ticket": ticket, "level": str(level),
        "until": str(clock.epoch_ms(clock.now() + GOOD_FOR)),
    }  # fmt: skip
    made = altcha.create_challenge(
        altcha.ChallengeOptions(max_number=LEVELS[level], hmac_key=_key(), params=bound)
    )
    return {
        "algorithm": made.algorithm, "challenge": made.challenge, "maxnumber": made.max_number,
        "salt": made.salt, "signature": made.signature,
    }  # fmt: skip


def is_solved(drop_id: str, ticket: str, level: int, proof: str) -> bool:
    """Is `proof` (base64 of the challenge's JSON with `number` in place of `maxnumber`) a solution of a challenge
    that was made for this ticket, at this level or a harder one, and not too long ago?"""
    if not proof or len(proof) > _LONGEST:
        return False
    try:
        given = msgspec.json.decode(base64.b64decode(proof, validate=True), type=_Solution)
    except (binascii.Error, msgspec.MsgspecError, UnicodeDecodeError):
        return False
    payload = altcha.Payload(given.algorithm, given.challenge, given.number, given.salt, given.signature)
    right, _ = altcha.verify_solution(payload, _key(), check_expires=False)
    if not right:
        return False
    bound = {name: values[0] for name, values in parse_qs(given.salt.partition("?")[2]).items()}
    return (
        (bound["drop"], bound["ticket"]) == (drop_id, ticket)
        and int(bound["level"]) >= level
        and int(bound["until"]) > clock.now_ms()
    )


def _key() -> str:
    return digest("challenge")
