"""The topics that change with a build's pack."""

from __future__ import annotations

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.data.models.game import Build
from app.data.models.server import Replica
from app.topics.names import game_topic, plan_topic


def topics_of(session: Session, build_id: str) -> list[str]:
    """The game's page, and the plans of the servers that hold the build or should."""
    game_id = session.scalar(select(Build.game_id).where(Build.id == build_id))
    servers = session.scalars(
        select(Replica.server_id).where(
            Replica.build_id == build_id, or_(Replica.wanted, Replica.kept, Replica.left_plan_at.is_not(None))
        )
    )
    return [*([game_topic(game_id)] if game_id else []), *map(plan_topic, servers)]
