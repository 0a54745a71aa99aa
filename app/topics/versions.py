"""The stored version of a topic, for ETags. Never ahead of the facts that the same request reads after it."""

from __future__ import annotations

from sqlalchemy import select

from app.data.extensions import db
from app.data.models.audit_record import Topic


def stored_version(topic: str) -> int:
    """0 for a topic that never changed."""
    return db.session.scalar(select(Topic.version).where(Topic.name == topic)) or 0
