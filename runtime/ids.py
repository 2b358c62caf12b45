"""Ids: a prefix and 26 characters, either sortable by time or derived from parts by a keyed hash."""

import hashlib
import hmac
import secrets

from runtime import clock
from runtime.settings import settings

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32


def new_id(prefix: str) -> str:
    """A new id; ids made later sort later (48 bits of milliseconds, 80 random bits)."""
    return f"{prefix}_{_spell(clock.epoch_ms(clock.now()) << 80 | secrets.randbits(80))}"


def derived_id(prefix: str, *parts: str) -> str:
    """The same parts give the same id, which says nothing about them to who lacks the signing key."""
    message = "\x1f".join((prefix, *parts)).encode()
    mac = hmac.new(settings().signing_key, message, hashlib.sha256).digest()
    return f"{prefix}_{_spell(int.from_bytes(mac[:16], 'big'))}"


def _spell(value: int) -> str:
    return "".join(_ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))
