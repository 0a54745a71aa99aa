"""What makes the apps of all tests quick: caches that they share, cheap hashes, and databases that need not survive a
power cut. Without it a short test takes three times as long."""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Callable
from typing import Any

from argon2 import PasswordHasher
from huey.storage import SqliteStorage
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule

from app.accounts import password_hashing


class _Templates(BytecodeCache):
    """Compiled templates."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


templates = _Templates()

Builder = Callable[..., tuple[str, str]]
_compile = Rule._compile_builder
_builders: dict[tuple[str, str, bool], Builder] = {}


def _compiled_once(rule: Rule, append_unknown: bool = True) -> Builder:
    """A route's URL builder. werkzeug generates and compiles a function for each route, which depends only on these
    three values while all apps have the same converters."""
    key = (rule.rule, str(rule.defaults), append_unknown)
    if key not in _builders:
        _builders[key] = _compile(rule, append_unknown)
    return _builders[key]


Rule._compile_builder = _compiled_once  # type: ignore[assignment]  # the same, unbound

# Compiled SQL, which an engine caches by dialect; a run has two kinds of dialect. See `app` in tests/conftest.py.
statements: LRUCache[Any, Any] = LRUCache(3000)


def _of_one_kind(dialect: DefaultDialect, other: object) -> bool:
    return type(dialect) is type(other)


DefaultDialect.__eq__ = _of_one_kind  # type: ignore[method-assign,assignment]
DefaultDialect.__hash__ = lambda dialect: hash(type(dialect))  # type: ignore[method-assign,assignment]

# A stored hash contains its cost parameters, so servers that tests start verify these hashes quickly too.
password_hashing._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


# SQLite files of the tests' own process need not survive a power cut. Waiting for the disk at each commit would take
# half of a short test's time. Servers that tests start do wait.
@event.listens_for(Engine, "connect")
def _leave_writing_to_the_kernel(connection: object, record: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=OFF")


_connect = SqliteStorage._create_connection


def _connect_to_queue(storage: SqliteStorage) -> sqlite3.Connection:
    connection: sqlite3.Connection = _connect(storage)
    connection.execute("PRAGMA synchronous=OFF")
    return connection


SqliteStorage._create_connection = _connect_to_queue

# Imported objects stay alive. Scanning them for cycles again and again takes a tenth of a test's time.
gc.collect()
gc.freeze()
gc.set_threshold(100_000, 20, 20)
