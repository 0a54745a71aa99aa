"""What makes the apps of all tests quick: caches that they share, cheap hashes, and databases that need not survive a
power cut. Without it a short test takes three times as long."""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Hashable
from pathlib import Path
from types import CodeType
from typing import Any, ClassVar

from argon2 import PasswordHasher
from flask import Flask
from huey.storage import SqliteStorage
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache
from werkzeug.routing import BaseConverter, Map, Rule, RuleFactory

from app.accounts import password_hashing


class _Templates(BytecodeCache):
    """Compiled templates."""

    def __init__(self) -> None:
        self._kept: dict[str, CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._kept.get(bucket.key)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.code


templates = _Templates()


class _SharedMap(Map):
    """The routes of an app. Apps with the same routes share one compiled map: compiling it takes half of the time of
    `create_app()`."""

    _compiled: ClassVar[dict[Hashable, Map]] = {}

    def __init__(self, *args: Any, **options: Any) -> None:
        self._added: list[tuple[Rule, _Converters]] = []
        super().__init__(*args, **options)

    def add(self, rulefactory: RuleFactory) -> None:
        converters = tuple(self.converters.items())  # those of this moment
        self._added.extend((rule, converters) for rule in rulefactory.get_rules(self))
        self._remap = True

    def update(self) -> None:
        """werkzeug calls this before it uses the map."""
        with self._remap_lock:
            if not self._remap:
                return
            key = (self.host_matching, *((_route(rule), converters) for rule, converters in self._added))
            if key not in self._compiled:
                self._compiled[key] = self._compile()
            shared = self._compiled[key]
            self._matcher, self._rules_by_endpoint = shared._matcher, shared._rules_by_endpoint
            self._remap = False

    def _compile(self) -> Map:
        compiled = Map(host_matching=self.host_matching)
        for rule, converters in self._added:
            compiled.converters = dict(converters)
            copied = rule.empty()
            copied.__dict__[_OPTIONS] = rule.__dict__[_OPTIONS]
            compiled.add(copied)
        compiled.update()
        return compiled


_Converters = tuple[tuple[str, type[BaseConverter]], ...]
_OPTIONS = "provide_automatic_options"  # Flask sets it on rules


def _route(rule: Rule) -> Hashable:
    """What tells a route from others."""
    methods = rule.methods and frozenset(rule.methods)
    more = (rule.subdomain, rule.host, rule.strict_slashes, rule.build_only, rule.redirect_to, rule.alias)
    return rule.rule, rule.endpoint, methods, str(rule.defaults), rule.__dict__[_OPTIONS], more


Flask.url_map_class = _SharedMap

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
_create_tables = SqliteStorage.initialize_schema
_empty_queue: list[bytes] = []  # the file, once it was made


def _connect_to_queue(storage: SqliteStorage) -> sqlite3.Connection:
    connection: sqlite3.Connection = _connect(storage)
    connection.execute("PRAGMA synchronous=OFF")
    return connection


def _copy_empty_queue(storage: SqliteStorage) -> None:
    file = Path(storage.filename)
    if _empty_queue and not file.exists():
        file.write_bytes(_empty_queue[0])
        return
    _create_tables(storage)
    _empty_queue[:] = _empty_queue or [file.read_bytes()]


SqliteStorage._create_connection = _connect_to_queue
SqliteStorage.initialize_schema = _copy_empty_queue

# Imported objects stay alive. Scanning them for cycles again and again takes a tenth of a test's time.
gc.collect()
gc.freeze()
gc.set_threshold(100_000, 20, 20)
