"""The active servers: all that are not retired."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.data.extensions import db
from app.data.models.server import Server

# The condition, for queries that join servers to other tables.
IS_ACTIVE = Server.retired_at.is_(None)


def active_servers(session: Session | None = None) -> Sequence[Server]:
    """Every active server, in id order. Within `writing()` give its session."""
    return (session or db.session()).scalars(select(Server).where(IS_ACTIVE).order_by(Server.id)).all()


def active_server_count() -> int:
    return db.session.scalar(select(func.count()).where(IS_ACTIVE)) or 0
