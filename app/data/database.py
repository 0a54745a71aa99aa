"""Database access: SQLite's settings, and write transactions."""

from __future__ import annotations

import logging
import select as sockets
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

from flask import g
from sqlalchemy import Connection, Engine, bindparam, event, literal, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DisconnectionError, InvalidRequestError, SQLAlchemyError
from sqlalchemy.orm import Session

from app.data.extensions import db
from app.data.list_parameters import items_of
from app.data.models.audit_record import Topic
from app.data.models.base import now
from app.data.outages import database_state, outage_in, record_commit
from app.refusals import NotFound

log = logging.getLogger(__name__)

DatabaseError = SQLAlchemyError  # for modules without SQL
WRITES = "slipway_writes"
_READS = "slipway_reads"
_TOPICS = "slipway_topics"
_CHECK = "slipway_check"
# SQLite has one writer. The threads of this process wait for it here, where the next one begins at once: SQLite's own
# waiting looks again after longer and longer pauses. Another process may still hold SQLite's lock.
_turn = threading.Lock()
_TURN_SECONDS = 15.0  # then SQLite's own waiting decides
Listener = Callable[[Mapping[str, int]], None]
_listeners: list[Listener] = []
T = TypeVar("T")


@event.listens_for(Engine, "connect")
def _prepare_sqlite(connection: Any, record: object) -> None:
    if not isinstance(connection, sqlite3.Connection):
        return
    connection.isolation_level = None  # SQLAlchemy, not the driver, begins transactions
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "busy_timeout=15000", "foreign_keys=ON", "synchronous=FULL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    # SQLite's own lower() only changes ASCII letters: "école" would not find "École" as it does on Postgres.
    connection.create_function("lower", 1, _lower, deterministic=True)


@event.listens_for(Engine, "checkout")
def _replace_closed(connection: Any, record: object, proxy: object) -> None:
    """Replace a connection of the pool that the database has closed meanwhile. An idle connection has something to read
    only then. To ask the server instead, as SQLAlchemy's `pool_pre_ping` does, takes as long as a short query."""
    if isinstance(connection, sqlite3.Connection):
        return
    if connection.closed or _is_readable(connection.fileno()):
        raise DisconnectionError


def _is_readable(descriptor: int) -> bool:
    poll = sockets.poll()
    poll.register(descriptor, sockets.POLLIN)
    return bool(poll.poll(0))


def _lower(value: str | float | bytes | None) -> str | float | bytes | None:
    return value.lower() if isinstance(value, str) else value


@event.listens_for(Engine, "begin")
def _begin_sqlite(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    # A deferred transaction that reads and then writes fails at once if another transaction wrote in between (measured:
    # 677 of 1,600 with 8 threads). An immediate transaction waits for its turn.
    options = connection.get_execution_options()
    if _READS in options:
        return  # each statement is a transaction of its own
    # On the driver's connection, because SQLAlchemy's own call takes ten times as long.
    driver: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]  # of this dialect
    driver.execute("BEGIN IMMEDIATE" if options.get(WRITES) else "BEGIN")


@contextmanager
def writing() -> Iterator[Session]:
    """One write transaction. Ends any read transaction first, so that the block reads under its own lock. Commits at
    the end, or rolls back on an error. Cannot be nested.

    Topics announced with `announce()` get their new version in the same commit and wake waiting pages after it.
    """
    session = db.session()
    if session.info.get(WRITES):
        raise RuntimeError("writing() inside writing(): the inner one would commit the outer one's work")
    session.rollback()
    session.expire_all()
    session.info[WRITES] = True
    session.info[_TOPICS] = set[str]()
    has_turn = session.get_bind().dialect.name == "sqlite" and _turn.acquire(timeout=_TURN_SECONDS)
    try:
        session.connection(execution_options={WRITES: True})
        if check := g.pop(_CHECK, None):
            check()
        yield session
        session.flush()
        versions = _raise_versions(session, session.info[_TOPICS])
        session.commit()
        record_commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        if has_turn:
            _turn.release()
        session.info.pop(WRITES, None)
        session.info.pop(_TOPICS, None)
    if versions:
        for listener in _listeners:
            listener(versions)


@contextmanager
def checked_first(check: Callable[[], None]) -> Iterator[None]:
    """Within the block, the first write transaction begins with `check`, which raises to prevent the change. It reads
    and locks rows in that transaction."""
    setattr(g, _CHECK, check)
    try:
        yield
    finally:
        g.pop(_CHECK, None)


@contextmanager
def reading() -> Iterator[Connection]:
    """A connection beside the session for a few prepared Core statements, which take a quarter of the time that a
    session takes. Each statement sees the newest state. Not while the session holds a connection: a request that has
    one and waits for another could wait for itself."""
    with db.engine.connect().execution_options(**{_READS: True}) as connection:
        yield connection


def when_topics_change(listener: Listener) -> None:
    """Call `listener` after each commit that raised versions of topics, with topic → new version."""
    if listener not in _listeners:
        _listeners.append(listener)


def announce(*topics: str) -> None:
    """Raise the versions of these topics with the commit. Only inside `writing()`."""
    announced: set[str] | None = db.session().info.get(_TOPICS)
    if announced is None:
        raise RuntimeError("announce() outside writing(): the change would be announced and never committed")
    announced.update(topics)


def database_answers() -> bool:
    """Whether the database answers. Frees the connection."""
    try:
        db.session.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        if outage_in(error) is None:
            log.exception("the database does not answer")
        return False
    finally:
        free_connection()
    database_state.worked()
    return True


def free_connection() -> None:
    """Free the database connection, before waiting for a body, a poll, a stream or the bucket.

    Loaded objects stay readable (expire_on_commit is off). Attributes that were not loaded cannot be read any more.
    """
    db.session.remove()


def free_connection_unless_writing() -> None:
    """Free the database connection before a prepared read, which takes one of its own. Inside writing() nothing is
    freed, because the transaction would end; prepared reads run in it. If-Match is checked there, by the steps and the
    view of a read."""
    if not is_writing():
        free_connection()


def is_writing() -> bool:
    """Whether this request is inside writing()."""
    return db.session.registry.has() and WRITES in db.session().info


def free_connection_keeping_rows() -> None:
    """Free the database connection and keep loaded objects attached, for a short wait within a request. Later reads see
    a newer state, so the two halves of the request may see different facts."""
    db.session.commit()


def _raise_versions(session: Session, topics: set[str]) -> dict[str, int]:
    if not topics:
        return {}
    connection = session.connection()
    raised = {"names": sorted(topics), "at": now()}  # in one order: no deadlock
    # .all(): a Result has keys(), so dict() would take it for a mapping
    return dict(connection.execute(_RAISE[connection.dialect.name], raised).all())


def _raise_statement(insert: postgresql.Insert | sqlite.Insert, dialect: str) -> Any:
    name = items_of("names", dialect)
    new = select(name, literal(1), bindparam("at", type_=Topic.changed_at.type)).order_by(name)
    raised = insert.from_select(["name", "version", "changed_at"], new).on_conflict_do_update(
        index_elements=[Topic.name], set_={"version": Topic.version + 1, "changed_at": insert.excluded.changed_at}
    )
    return raised.returning(Topic.name, Topic.version)


# Made once: making them takes longer than running them.
_RAISE = {
    "postgresql": _raise_statement(postgresql.insert(Topic), "postgresql"),
    "sqlite": _raise_statement(sqlite.insert(Topic), "sqlite"),
}


def insert_on_conflict(session: Session, entity: type[Any]) -> postgresql.Insert | sqlite.Insert:
    """An INSERT for which `on_conflict_…` states what to do if the row exists already or is being written."""
    return postgresql.insert(entity) if session.get_bind().dialect.name == "postgresql" else sqlite.insert(entity)


def in_batches(items: Iterable[T], size: int = 5000) -> Iterator[Sequence[T]]:
    """Batches of at most `size`, for statements that name each item: SQLite accepts 32,766 parameters."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def lock_for_update(session: Session, row: Any) -> None:
    """Lock a row until the transaction ends, and read it again. On SQLite the immediate transaction holds the lock
    already.

    Rows that refer to it may still be added (FOR NO KEY UPDATE): with the stronger lock, a report and a release would
    wait for each other's locks. To lock several rows, keep this order: server, game, replicas by id, topics by name.
    Raises NotFound for a row that was deleted.
    """
    try:
        session.refresh(row, with_for_update={"key_share": True})
    except InvalidRequestError:
        raise NotFound("This was deleted a moment ago. Nothing was changed.") from None
