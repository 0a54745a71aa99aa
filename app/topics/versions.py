"""The stored version of a topic, for ETags. Never ahead of the facts that the same request reads after it."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select

from app.data.extensions import db
from app.data.models.audit_record import Topic

_VERSION = select(Topic.version).where(Topic.name == bindparam("topic"))


def stored_version(topic: str) -> int:
    """0 for a topic that never changed."""
    return db.session.scalar(_VERSION, {"topic": topic}) or 0


def version_on(connection: Connection, topic: str) -> int:
    """The same, on a connection of `reading()`: facts that it reads afterwards are at least as new."""
    found: int | None = connection.scalar(_VERSION, {"topic": topic})
    return found or 0
