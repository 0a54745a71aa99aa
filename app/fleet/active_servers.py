"""The active servers: all that are not retired; which have contact and hold a build; pages that show them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from app.data import list_orders
from app.data.extensions import db
from app.data.models.server import Replica, Server
from app.fleet.contact import is_recent

# The condition, for queries that join servers to other tables.
IS_ACTIVE = Server.retired_at.is_(None)
SERVERS_PER_PAGE = 50


def active_servers(session: Session | None = None) -> Sequence[Server]:
    """Every active server, in id order. Within `writing()` give its session."""
    return (session or db.session()).scalars(select(Server).where(IS_ACTIVE).order_by(Server.id)).all()


def server_places() -> list[tuple[str, str]]:
    """(id, region) of every active server, in id order."""
    return [
        (row.id, row.region)
        for row in db.session.execute(select(Server.id, Server.region).where(IS_ACTIVE).order_by(Server.id))
    ]


def places_on_page(page: int | None, total: int) -> slice:
    """The places of the servers that a page shows, of `total` servers. Pages are numbered from 1, and a page beyond the
    last one is the last. None: all servers."""
    if page is None:
        return slice(0, total)
    return list_orders.places_on_page(page, total, SERVERS_PER_PAGE)


def active_server_count() -> int:
    return db.session.scalar(select(func.count()).where(IS_ACTIVE)) or 0


def has_contact(server: Server, at: datetime) -> bool:
    """Whether the server's last report is recent enough."""
    return is_recent(server.last_report_at, at)


def is_cached(since: Any) -> tuple[ColumnElement[bool], ...]:
    """The condition that `build_state` (app/fleet/build_states.py) is "cached", for queries that join replicas and
    servers. `since`: the value or parameter of `contact_begins`."""
    return Replica.phase == "cached", IS_ACTIVE, Server.last_report_at >= since
