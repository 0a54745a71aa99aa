"""The active servers: all that are not retired. Which of them have contact, and hold a build."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from app.data.extensions import db
from app.data.models.server import Replica, Server
from app.fleet.contact import is_recent

# The condition, for queries that join servers to other tables.
IS_ACTIVE = Server.retired_at.is_(None)


def active_servers(session: Session | None = None) -> Sequence[Server]:
    """Every active server, in id order. Within `writing()` give its session."""
    return (session or db.session()).scalars(select(Server).where(IS_ACTIVE).order_by(Server.id)).all()


def active_server_count() -> int:
    return db.session.scalar(select(func.count()).where(IS_ACTIVE)) or 0


def has_contact(server: Server, at: datetime) -> bool:
    """Whether the server's last report is recent enough."""
    return is_recent(server.last_report_at, at)


def is_cached(since: Any) -> tuple[ColumnElement[bool], ...]:
    """The condition that `build_state` (app/fleet/build_states.py) is "cached", for queries that join replicas and
    servers. `since`: the value or parameter of `contact_begins`."""
    return Replica.phase == "cached", IS_ACTIVE, Server.last_report_at >= since
