"""Play sessions in a report: those that continue, that ended, and that began without the platform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from app.data.database import announce, in_batches
from app.data.models.game import Build
from app.data.models.server import PlaySession, Replica, Server
from app.fleet.play_sessions import LiveSession
from app.fleet.replicas import is_in_plan
from app.topics.names import game_topic, plan_topic

MAX_MISSED_REPORTS = 2
# A session that began without the platform, on a build that had just left the plan, is first named one report later.
SILENCE_LIMIT = timedelta(seconds=60)
# A wrong clock may give any time, and pages show the stored time as "since".
MAX_AGE = timedelta(days=3650)


def match_sessions(
    session: Session, server: Server, live: Sequence[LiveSession], at: datetime, previous_report_at: datetime | None
) -> list[str]:
    """Update the rows to match a report: add sessions that began while the platform could not be reached, and end those
    missing from two reports. Inside writing(), after the report's builds were recorded.

    Returns the ids of ignored sessions: their builds are not in the server's plan.
    """
    rows = session.scalars(
        select(PlaySession).where(PlaySession.server_id == server.id, PlaySession.ended_at.is_(None))
    ).all()
    named = {s.id: s for s in live}
    for row in rows:
        if row.id in named:
            row.missed_reports = 0
            continue
        row.missed_reports += 1
        if row.missed_reports >= MAX_MISSED_REPORTS:
            row.ended_at = at
            announce(game_topic(row.game_id), plan_topic(server.id))
    running = {row.id for row in rows}
    return _add_sessions(session, server, [s for s in named.values() if s.id not in running], at, previous_report_at)


def _add_sessions(
    session: Session, server: Server, unknown: Sequence[LiveSession], at: datetime, previous_report_at: datetime | None
) -> list[str]:
    existing: dict[str, PlaySession] = {}
    for ids in in_batches(s.id for s in unknown):
        existing |= {row.id: row for row in session.scalars(select(PlaySession).where(PlaySession.id.in_(ids)))}
    new = [s for s in unknown if s.id not in existing]
    builds = _builds_in_plan(session, server, previous_report_at) if new else {}
    for row in existing.values():
        _reopen(row, server)
    for begun in new:
        build_id = builds.get((begun.game_id, begun.build))
        if build_id is not None:
            started_at = min(max(begun.started_at, at - MAX_AGE), at)
            session.add(
                PlaySession(
                    id=begun.id,
                    server_id=server.id,
                    game_id=begun.game_id,
                    build_id=build_id,
                    started_at=started_at,
                )
            )
            announce(game_topic(begun.game_id))
    return sorted(s.id for s in new if (s.game_id, s.build) not in builds)


def _reopen(row: PlaySession, server: Server) -> None:
    """For sessions that missing reports ended: the agent's report is right about whether the process runs. A session
    that the agent ended itself (it missed no report) stays ended, because this report was made before that."""
    if row.server_id == server.id and row.missed_reports >= MAX_MISSED_REPORTS:
        row.ended_at = None
        row.missed_reports = 0
        announce(game_topic(row.game_id))


def _builds_in_plan(
    session: Session, server: Server, previous_report_at: datetime | None
) -> Mapping[tuple[str, int], str]:
    """(game id, number) → id of the builds that are in the server's plan, or were at its previous report: without the
    platform it could not know about the change. One query for all, because a report may name thousands of others."""
    left: ColumnElement[bool] = Replica.left_plan_at.is_not(None)
    if previous_report_at is not None:
        left = and_(left, Replica.left_plan_at >= previous_report_at - SILENCE_LIMIT)
    query = (
        select(Build.game_id, Build.number, Build.id)
        .join(Replica, Replica.build_id == Build.id)
        .where(Replica.server_id == server.id, or_(is_in_plan(server), left))
    )
    return {(game_id, number): build_id for game_id, number, build_id in session.execute(query)}
