"""Builds that a server reports although no row names them: after a restored database, or in a made-up report."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session, contains_eager

from app.data.database import announce, in_batches, insert_on_conflict
from app.data.models.game import Build
from app.data.models.server import Replica, Server
from app.topics.names import plan_topic

Key = tuple[str, int]  # game id, build number


def adopt(session: Session, server: Server, reported: Mapping[Key, object]) -> dict[Key, Replica]:
    """Add rows for those that were once released, so that the plan can name them for eviction. No server was ever told
    to hold other builds, and a row would show such a build as cached. Inside writing()."""
    rows: dict[Key, Replica] = {}
    for keys in in_batches(sorted(reported), 500):
        released = select(Build).where(tuple_(Build.game_id, Build.number).in_(keys), Build.released_at.is_not(None))
        for build in session.scalars(released).all():
            rows[build.game_id, build.number] = _adopted(session, server, build)
            announce(plan_topic(server.id))
    return rows


def _adopted(session: Session, server: Server, build: Build) -> Replica:
    row = insert_on_conflict(session, Replica).values(
        server_id=server.id, build_id=build.id, game_id=build.game_id, bytes_total=build.size, wanted=False
    )
    session.execute(row.on_conflict_do_nothing())  # a release may be writing it now: then it stays wanted
    written = select(Replica).where(Replica.server_id == server.id, Replica.build_id == build.id)
    return session.scalars(written.join(Replica.build).options(contains_eager(Replica.build))).one()
