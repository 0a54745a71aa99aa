"""Bearer secrets and passwords. Only hashes are stored."""

from __future__ import annotations

import hashlib
import secrets
import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

_hasher = PasswordHasher()
# A hash takes 64 MiB and a core for ~50 ms: two at once, whatever the number of people signing in.
_hashing = threading.BoundedSemaphore(2)


def new_secret(prefix: str) -> str:
    """A bearer secret such as `pp_…` with 256 random bits."""
    return f"{prefix}_{secrets.token_urlsafe(32)}"


def fingerprint(secret: str) -> str:
    """What is stored of a bearer secret: SHA-256, hex. The secret is random, so nothing slower is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def hint(secret: str) -> str:
    """Enough of a secret to recognise it: `pp_8fK2…x9Qd`."""
    head = secret.index("_") + 5
    return f"{secret[:head]}…{secret[-4:]}"


def hash_password(password: str) -> str:
    """argon2id with the library's present parameters."""
    with _hashing:
        return _hasher.hash(password)


def password_matches(stored: str | None, password: str) -> bool:
    """Check a password. With no stored hash the same work is done, so that time does not tell who has an account."""
    with _hashing:
        try:
            return _hasher.verify(stored or _hash_of_nobody(), password) and stored is not None
        except (VerifyMismatchError, InvalidHashError):
            return False


@cache
def _hash_of_nobody() -> str:
    """Made on first use: it takes a third of a second, which every command would pay at import."""
    return _hasher.hash(secrets.token_urlsafe(16))
