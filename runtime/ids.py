"""Ids: a prefix and 26 characters, either sortable by time or derived from parts by a keyed hash."""

import hashlib
import hmac
import secrets
from functools import lru_cache

from runtime import clock
from runtime.settings import settings

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_LETTERS = (_ALPHABET * 8).encode()  # any byte to a letter, each as likely


def new_id(prefix: str) -> str:
    """A new id; ids made later sort later (48 bits of milliseconds, 80 random bits)."""
    return f"{prefix}_{_time(clock.now_ms())}{secrets.token_bytes(16).translate(_LETTERS).decode()}"


@lru_cache(maxsize=16)
def _time(ms: int) -> str:
    """The same for all ids of a millisecond: in a rush there are many."""
    return "".join([_PAIRS[ms >> shift & 1023] for shift in (40, 30, 20, 10, 0)])


def derived_id(prefix: str, *parts: str) -> str:
    """The same parts give the same id, which says nothing about them to who lacks the signing key."""
    message = "\x1f".join((prefix, *parts)).encode()
    mac = hmac.new(settings().signing_key, message, hashlib.sha256).digest()
    return f"{prefix}_{_spell(int.from_bytes(mac[:16], 'big'))}"


def _spell(value: int) -> str:
    return "".join([_PAIRS[value >> shift & 1023] for shift in range(120, -1, -10)])
