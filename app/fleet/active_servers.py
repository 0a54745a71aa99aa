"""The servers that take part: all that are not retired."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.data.extensions import db
from app.data.models.server import Server


def active_servers(session: Session | None = None) -> Sequence[Server]:
    """Every server that is not retired, in id order. Within `writing()` give its session."""
    query = select(Server).where(Server.retired_at.is_(None)).order_by(Server.id)
    return (session or db.session()).scalars(query).all()


def active_server_count() -> int:
    return db.session.scalar(select(func.count()).where(Server.retired_at.is_(None))) or 0
