"""Bearer secrets: keys, tokens, links. Only their hashes are stored."""

from __future__ import annotations

import hashlib
import secrets


def new_secret(prefix: str) -> str:
    """A bearer secret such as `pp_…` with 256 random bits."""
    return f"{prefix}_{secrets.token_urlsafe(32)}"


def fingerprint(secret: str) -> str:
    """The stored form of a bearer secret: SHA-256, hex. The secret is random, so nothing slower is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def hint(secret: str) -> str:
    """Enough of a secret to recognise it: `pp_8fK2…x9Qd`."""
    head = secret.index("_") + 5
    return f"{secret[:head]}…{secret[-4:]}"
