"""The state of released builds on the servers in few words, for the list of games."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, func, select

from app.data.database import in_batches
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Game
from app.data.models.server import Replica, Server
from app.fleet.active_servers import IS_ACTIVE
from app.fleet.build_states import SHOWN_RETRIES, state_of
from app.fleet.contact import contact_begins, is_recent
from app.fleet.rollout_states import Summary


def summaries(games: Sequence[Game], servers: Sequence[Server], max_states: int) -> dict[str, Summary]:
    """By game id. `servers`: the active servers. With more than `max_states` of them the database counts the states,
    and no summary tells the servers apart: 50 games on 500 servers are 25,000 rows. One query for any number of
    games."""
    at = now()
    released = [game.released_build_id for game in games if game.released_build_id]
    summarise = _told_apart if len(servers) <= max_states else _counted
    found = summarise(released, servers, at)
    return {game.id: found.get(game.released_build_id or "", Summary([], Counter())) for game in games}


@dataclass(frozen=True)
class _Phase:
    phase: str
    attempt: int


def _told_apart(released: Sequence[str], servers: Sequence[Server], at: datetime) -> dict[str, Summary]:
    on: dict[str, dict[str, _Phase]] = defaultdict(dict)
    for batch in in_batches(released):
        query = select(Replica.build_id, Replica.server_id, Replica.phase, Replica.attempt)
        for build_id, server_id, phase, attempt in db.session.execute(query.where(Replica.build_id.in_(batch))):
            on[build_id][server_id] = _Phase(phase, attempt)
    return {build_id: _summary(on[build_id], servers, at) for build_id in released}


def _summary(on: Mapping[str, _Phase], servers: Sequence[Server], at: datetime) -> Summary:
    states = [state_of(on.get(server.id), server.last_report_at, at) for server in servers]
    return Summary(states, Counter(states))


def _counted(released: Sequence[str], servers: Sequence[Server], at: datetime) -> dict[str, Summary]:
    # Contact -> a time of a report with that contact.
    reported = {"never": None, "lost": contact_begins(at) - timedelta(seconds=1), "recent": at}
    everywhere = Counter(_contact(server.last_report_at, at) for server in servers)
    unsent = {build_id: everywhere.copy() for build_id in released}
    counts: dict[str, Counter[str]] = {build_id: Counter() for build_id in released}
    recent = Server.last_report_at >= contact_begins(at)
    contact = case((Server.last_report_at.is_(None), "never"), (recent, "recent"), else_="lost").label("contact")
    gave_up = case((Replica.attempt > SHOWN_RETRIES, 1), else_=0).label("gave_up")
    query = select(Replica.build_id, Replica.phase, gave_up, contact, func.count().label("servers"))
    query = query.join(Server, Replica.server_id == Server.id).where(IS_ACTIVE)
    query = query.group_by(Replica.build_id, Replica.phase, gave_up, contact)
    for batch in in_batches(released):
        for row in db.session.execute(query.where(Replica.build_id.in_(batch))):
            phase = _Phase(row.phase, SHOWN_RETRIES + 1 if row.gave_up else 0)
            counts[row.build_id][state_of(phase, reported[row.contact], at)] += row.servers
            unsent[row.build_id][row.contact] -= row.servers
    for build_id, found in counts.items():
        for contact_of, missing in unsent[build_id].items():
            if missing > 0:
                found[state_of(None, reported[contact_of], at)] += missing
    return {build_id: Summary([], found) for build_id, found in counts.items()}


def _contact(last_report_at: datetime | None, at: datetime) -> str:
    if last_report_at is None:
        return "never"
    return "recent" if is_recent(last_report_at, at) else "lost"
