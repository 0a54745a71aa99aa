"""The stored version of a topic, for ETags. Never ahead of the facts that the same request reads after it."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from app.data.extensions import db
from app.data.models.audit_record import Topic
from app.data.prepared_reads import PreparedRead

_VERSION = select(Topic.version).where(Topic.name == bindparam("topic"))
_READ = PreparedRead(_VERSION, int)


def stored_version(topic: str) -> int:
    """0 for a topic that never changed."""
    return db.session.scalar(_VERSION, {"topic": topic}) or 0


def newest_version(topic: str) -> int:
    """The same for requests whose session holds no connection, in a fraction of the time."""
    return _READ.first(topic=topic) or 0
