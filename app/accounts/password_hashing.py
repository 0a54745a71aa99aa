"""Passwords as they are stored: argon2id, computed two at a time behind a bounded queue.

A hash takes 64 MiB and a core for 50 ms and more, so many people at the door must not bring the house down: whoever
finds the queue full is told so at once, and whoever waits in it holds no database connection.
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
from app.limits.thread_budgets import Slots

MAX_HASHES = 2  # at once
MAX_WAITING = 16  # beyond those; the last of them waits for a second or two

hash_slots = Slots("checks of passwords", MAX_HASHES + MAX_WAITING, retry_after=3)
_computing = threading.BoundedSemaphore(MAX_HASHES)
_hasher = PasswordHasher()


def hash_password(password: str, like: str | None = None) -> str:
    """What to store, with the library's present parameters and a salt of its own, or with parameters and salt of the
    stored hash `like` (see `matching`). Raises Unavailable when the queue is full."""
    with _place():
        return _evaluate(password, like)


def password_matches(stored: str | None, password: str) -> bool:
    """Whether the password belongs to a stored hash. Raises Unavailable when the queue is full."""
    return bool(matching([stored] if stored else [], password))


def matching(stored: Iterable[str], password: str) -> set[str]:
    """Those of the stored hashes that belong to the password. Raises Unavailable when the queue is full.

    Hashes of equal parameters and salt cost one evaluation together, and so does no hash at all: the time does not tell
    how many accounts there are."""
    usable = {hash_ for hash_ in stored if _is_usable(hash_)}
    kinds = {_kind(hash_): hash_ for hash_ in usable}
    with _place():
        found = {_evaluate(password, like) for like in (kinds.values() or [_hash_of_nobody()])}
    return {hash_ for hash_ in usable if any(hmac.compare_digest(hash_, each) for each in found)}


@contextmanager
def _place() -> Iterator[None]:
    """A place in the queue, and then the turn. The request's database connection is given back before the wait."""
    if has_app_context():
        if db.session().info.get(WRITES):
            raise RuntimeError("a password was about to be hashed inside a transaction, which would wait for it")
        free_connection_keeping_rows()
    with hash_slots.acquired(), _computing:
        yield


def _evaluate(password: str, like: str | None) -> str:
    """One hash: the work that is bounded and counted."""
    if like is None or not _is_usable(like):
        return _hasher.hash(password)
    salt = like.split("$")[-2]
    return PasswordHasher.from_parameters(extract_parameters(like)).hash(
        password, salt=base64.b64decode(salt + "=" * (-len(salt) % 4))
    )


def _kind(stored: str) -> str:
    """Everything but the hash itself: algorithm, parameters, salt."""
    return stored.rpartition("$")[0]


def _is_usable(stored: str) -> bool:
    try:
        extract_parameters(stored)
    except InvalidHashError:
        return False
    return True


@cache
def _hash_of_nobody() -> str:
    """Made on first use: it takes a third of a second, which every command would pay at import."""
    return _hasher.hash(secrets.token_urlsafe(16))
