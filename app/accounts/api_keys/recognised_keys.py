"""API keys in memory, so that a call needs no query to recognise its key.

The memory is right for as long as no key ends and no app or partner is renamed. Each such change raises the version of
KEYS_TOPIC in its own transaction. That clears the memory of the process that made the change before the change is
reported as done, and the memory of every other process within CHECK_SECONDS, because each reads the version again that
often. If the database does not answer, no key is recognised (docs/decisions/0070).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from weakref import WeakSet

from flask import Flask, current_app

from app.accounts.keys import authenticate
from app.accounts.secrets import fingerprint
from app.data.database import free_connection_unless_writing, when_topics_change
from app.data.models.base import now
from app.data.models.partner import ApiKey
from app.topics.names import KEYS_TOPIC
from app.topics.versions import newest_version

CHECK_SECONDS = 1.0
MAX_KEYS = 10_000
_EXTENSION = "slipway_key_memory"


@dataclass(frozen=True)
class RecognisedPartner:
    id: str
    name: str


@dataclass(frozen=True)
class RecognisedApp:
    id: str
    name: str
    partner: RecognisedPartner


@dataclass(frozen=True)
class RecognisedKey:
    """The facts of an active key that calls need. Not a row: threads share it, and no session knows it."""

    id: str
    hint: str
    scopes: tuple[str, ...]
    expires_at: datetime | None
    app: RecognisedApp

    @classmethod
    def of(cls, key: ApiKey) -> RecognisedKey:
        partner = RecognisedPartner(key.app.partner.id, key.app.partner.name)
        app = RecognisedApp(key.app.id, key.app.name, partner)
        return cls(key.id, key.hint, tuple(key.scopes), key.expires_at, app)


class KeyMemory:
    """The recognised keys of one app in one process, by the hash of their text. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: dict[str, RecognisedKey] = {}
        self._version = -1
        self._checked_at = float("-inf")
        self._clearings = 0

    def recognise(self, secret: str | None) -> RecognisedKey:
        """The active key with this text. Raises Unauthorized. Afterwards the request holds no database connection."""
        if time.monotonic() - self._checked_at > CHECK_SECONDS:
            self._check_version()
        clearings = self._clearings
        known = fingerprint(secret) if secret else ""
        found = self._keys.get(known)
        if found is not None and (found.expires_at is None or found.expires_at > now()):
            return found
        try:
            key = RecognisedKey.of(authenticate(secret))
        finally:
            free_connection_unless_writing()
        with self._lock:
            if clearings == self._clearings:  # otherwise it may have ended between the query and now
                if len(self._keys) >= MAX_KEYS:
                    del self._keys[next(iter(self._keys))]
                self._keys[known] = key
        return key

    def clear(self) -> None:
        """Drop every key: one of them may have ended."""
        with self._lock:
            self._drop_all()

    def _drop_all(self) -> None:
        self._keys = {}
        self._clearings += 1

    def check_now(self) -> None:
        """Drop keys that ended until now, in whatever process. Raises as the database does."""
        self._check_version(within=0)
        free_connection_unless_writing()

    def _check_version(self, within: float = CHECK_SECONDS) -> None:
        with self._lock:
            began = time.monotonic()  # before the query: its answer may be as old as that
            if began - self._checked_at <= within:
                return  # another thread has just checked
            version = newest_version(KEYS_TOPIC)
            if version != self._version:
                self._drop_all()
            self._version, self._checked_at = version, began


_memories: WeakSet[KeyMemory] = WeakSet()


def init_app(app: Flask) -> None:
    """Give the app an empty memory."""
    memory = app.extensions[_EXTENSION] = KeyMemory()
    _memories.add(memory)
    when_topics_change(_clear_all)


def _clear_all(versions: Mapping[str, int]) -> None:
    if KEYS_TOPIC in versions:
        for memory in list(_memories):
            memory.clear()


def forget_ended_keys() -> None:
    """Drop the keys that ended until now, also in other processes: for a caller that `recognise()` admitted some time
    ago, whose key may have been revoked since."""
    memory: KeyMemory = current_app.extensions[_EXTENSION]
    memory.check_now()


def recognise(secret: str | None) -> RecognisedKey:
    """The active key with this text, from memory where possible. Raises Unauthorized."""
    memory: KeyMemory = current_app.extensions[_EXTENSION]
    return memory.recognise(secret)
