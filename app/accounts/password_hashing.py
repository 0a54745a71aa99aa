"""Password hashes: argon2id, computed two at a time behind a bounded queue.

A hash takes 64 MiB and one core for at least 50 ms, so many sign-ins at once must not overload the server. When the
queue is full, a request is refused at once. A waiting request holds no database connection.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError
from flask import has_app_context

from app.data.database import WRITES, free_connection_keeping_rows
from app.data.extensions import db
from app.limits.slots import Slots

MAX_HASHES = 2  # at the same time
MAX_WAITING = 16  # besides those; the last one waits for a second or two

hash_slots = Slots("checks of passwords", MAX_HASHES + MAX_WAITING, retry_after=3)
_computing = threading.BoundedSemaphore(MAX_HASHES)
_hasher = PasswordHasher()


def hash_password(password: str, like: str | None = None) -> str:
    """The hash to store, with the library's current parameters and a new salt, or with parameters and salt of the
    stored hash `like` (see `matching`). Raises Unavailable when the queue is full."""
    with _place():
        return _evaluate(password, like)


def password_matches(stored: str | None, password: str) -> bool:
    """Whether the password belongs to a stored hash. Raises Unavailable when the queue is full."""
    return bool(matching([stored] if stored else [], password))


def matching(stored: Iterable[str], password: str) -> set[str]:
    """The stored hashes that match the password. Raises Unavailable when the queue is full.

    Hashes with equal parameters and salt cost one evaluation together, and so does an empty list: the time does not
    reveal how many accounts there are.
    """
    usable = {hash_ for hash_ in stored if _is_usable(hash_)}
    kinds = {_kind(hash_): hash_ for hash_ in usable}
    with _place():
        found = {_evaluate(password, like) for like in (kinds.values() or [_dummy_hash()])}
    return {hash_ for hash_ in usable if any(hmac.compare_digest(hash_, each) for each in found)}


@contextmanager
def _place() -> Iterator[None]:
    """Wait in the queue for a turn. Frees the request's database connection before the wait."""
    if has_app_context():
        if db.session().info.get(WRITES):
            raise RuntimeError("hash_password() inside a transaction: the transaction would wait for it")
        free_connection_keeping_rows()
    with hash_slots.acquired(), _computing:
        yield


def _evaluate(password: str, like: str | None) -> str:
    """Compute one hash: the work that is bounded and counted."""
    if like is None or not _is_usable(like):
        return _hasher.hash(password)
    salt = like.split("$")[-2]
    return PasswordHasher.from_parameters(extract_parameters(like)).hash(
        password, salt=base64.b64decode(salt + "=" * (-len(salt) % 4))
    )


def _kind(stored: str) -> str:
    """All parts but the hash itself: algorithm, parameters, salt."""
    return stored.rpartition("$")[0]


def _is_usable(stored: str) -> bool:
    try:
        extract_parameters(stored)
    except InvalidHashError:
        return False
    return True


@cache
def _dummy_hash() -> str:
    """Made on first use: it takes a third of a second, which would slow the start of every command."""
    return _hasher.hash(secrets.token_urlsafe(16))
