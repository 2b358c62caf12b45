"""Ids: a prefix and 26 characters, either sortable by time or derived from parts by a keyed hash."""

import hashlib
import hmac
import secrets

from runtime import clock
from runtime.settings import settings

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


def new_id(prefix: str) -> str:
    """A new id; ids made later sort later (48 bits of milliseconds, 80 random bits)."""
    return f"{prefix}_{_spell(clock.now_ms() << 80 | secrets.randbits(80))}"


def derived_id(prefix: str, *parts: str) -> str:
    """The same parts give the same id, which says nothing about them to who lacks the signing key."""
    message = "\x1f".join((prefix, *parts)).encode()
    mac = hmac.new(settings().signing_key, message, hashlib.sha256).digest()
    return f"{prefix}_{_spell(int.from_bytes(mac[:16], 'big'))}"


def _spell(value: int) -> str:
    return "".join([_PAIRS[value >> shift & 1023] for shift in range(120, -1, -10)])
