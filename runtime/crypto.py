"""Sealing and digests: AES-256-GCM with associated data, keyed hashes, the blind index."""

import hashlib
import hmac
import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from runtime.settings import settings


class SealError(Exception):
    """The sealed bytes were changed, moved to another place, or sealed with another key."""


def new_key() -> bytes:
    return os.urandom(32)


def seal(plain: bytes, aad: str, key: bytes | None = None) -> bytes:
    """Encrypt. `aad` names the place (table.column.row), so a sealed value can't be moved elsewhere."""
    nonce = os.urandom(12)
    return nonce + _cipher(key).encrypt(nonce, plain, aad.encode())


def unseal(sealed: bytes, aad: str, key: bytes | None = None) -> bytes:
    """Decrypt what seal() made for this place; raises SealError otherwise."""
    try:
        return _cipher(key).decrypt(sealed[:12], sealed[12:], aad.encode())
    except InvalidTag:
        raise SealError(f"cannot unseal {aad.split('.')[0]}") from None


def _cipher(key: bytes | None) -> AESGCM:
    return AESGCM(key) if key else _master(settings().master_key)


@lru_cache(maxsize=1)
def _master(key: bytes) -> AESGCM:
    return AESGCM(key)


def digest(*parts: str) -> str:
    """HMAC-SHA-256 of the parts with the signing key, hex."""
    return hmac.new(settings().signing_key, "\x1f".join(parts).encode(), hashlib.sha256).hexdigest()


def blind_index(value: str) -> str:
    """32 hex characters to find a secret value by. Keyed: the ID space alone falls to a plain hash in minutes."""
    return hmac.new(settings().index_key, value.encode(), hashlib.sha256).hexdigest()[:32]
