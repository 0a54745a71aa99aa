"""Retrying everything that failed on a server at once."""

from __future__ import annotations

from sqlalchemy import select

from app.accounts.actors import Actor
from app.accounts.audit_log import record
from app.data.database import announce, writing
from app.data.models.server import Replica, Server
from app.fleet.replicas import check_not_paused
from app.refusals import NotFound
from app.topics.names import FLEET_TOPIC, game_topic, plan_topic


def retry_failed(server_id: str, actor: Actor) -> int:
    """The agent skips its back-off for each build that failed there. Returns how many. Raises NotFound, or Conflict for
    a server whose downloads are paused."""
    with writing() as session:
        server = session.get(Server, server_id)
        if server is None or server.retired_at:
            raise NotFound(f"No server '{server_id}'.")
        check_not_paused(server)
        rows = session.scalars(
            select(Replica)
            .where(Replica.server_id == server_id, Replica.wanted, Replica.phase == "failed")
            .order_by(Replica.id)
            .with_for_update(key_share=True)
        ).all()
        for row in rows:
            row.retries_asked += 1
            row.retry_at = None
            announce(game_topic(row.game_id))
        if rows:
            record(session, actor, "server.retried", server_id, builds=len(rows))
            announce(plan_topic(server_id), FLEET_TOPIC)
        return len(rows)
