"""The state of builds on the servers: the facts for the matrix, the list of games, and the API's sync.

All states are derived from the last reports on each read, so that none can stay "downloading" for good: a server
without a report for 30 s has no contact, whatever its rows contain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import func, select, union
from sqlalchemy.orm import joinedload

from app.data.database import in_batches
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Build, Game
from app.data.models.server import PlaySession, Replica, Server
from app.fleet.active_servers import active_servers
from app.fleet.contact import has_contact
from app.fleet.costs.transfer_costs import TransferCosts, bytes_to_fetch, transfer_costs
from app.fleet.replicas import builds_after_release
from app.fleet.rollout_states import SHOWN_RETRIES, Cell, Matrix, MatrixRow, MatrixServer, Summary
from app.fleet.waiting_builds import builds_ahead

ROWS = 6


def state_of(replica: Replica | None, server: Server, at: datetime) -> str:
    """The state to show for one replica (None: never sent)."""
    if replica is None:
        return "not_sent" if has_contact(server, at) else "no_contact"
    if not has_contact(server, at) and replica.phase != "removed":
        return "no_contact"
    return _reported_state(replica)


def _reported_state(replica: Replica) -> str:
    if replica.phase == "failed":
        return "retrying" if replica.attempt <= SHOWN_RETRIES else "failed"
    return {"pending": "queued", "evicting": "removing"}.get(replica.phase, replica.phase)


def matrix(game: Game) -> Matrix:
    """The matrix of one game. Seven queries for any number of servers and builds."""
    at = now()
    servers = active_servers()
    active = {server.id for server in servers}
    of_game = select(Replica).where(Replica.game_id == game.id).options(joinedload(Replica.build))
    replicas = [r for r in db.session.scalars(of_game) if r.server_id in active]
    by_place = {(r.build_id, r.server_id): r for r in replicas}
    sessions = _sessions(game.id)
    builds = _shown_builds(game, {r.build_id for r in replicas if r.phase != "removed"})
    costs = transfer_costs({*(build.id for build in builds), *(r.build_id for r in replicas)})
    by_server: dict[str, list[Replica]] = {server.id: [] for server in servers}
    for replica in replicas:
        by_server[replica.server_id].append(replica)

    def cell(build: Build, server: Server) -> Cell:
        found = _cell(by_place.get((build.id, server.id)), build, server, sessions[build.id, server.id], at)
        is_live = build.id == game.released_build_id
        return _with_cost(found, build, server, by_server[server.id], costs, is_live=is_live)

    rows = [
        MatrixRow(build, build.id == game.released_build_id, [cell(build, server) for server in servers])
        for build in builds
    ]
    _set_ahead(game, rows)
    live = next((row for row in rows if row.live), None)
    cells = live.cells if live else []
    waiting = {"queued", "downloading", "retrying", "failed", "no_contact"}
    return Matrix(
        servers=[MatrixServer(s.id, s.region, s.last_report_at, has_contact(s, at)) for s in servers],
        rows=rows,
        sessions=sum(sessions.values()),
        bytes_to_send=sum(cell.to_fetch for cell in cells if cell.state in waiting),
        counts=Counter(cell.state for cell in cells),
    )


def _set_ahead(game: Game, rows: Sequence[MatrixRow]) -> None:
    found = builds_ahead(game, {cell.server_id for row in rows for cell in row.cells if cell.state == "queued"})
    for row in rows:
        row.cells[:] = [
            replace(cell, ahead=found.get(cell.server_id)) if cell.state == "queued" else cell for cell in row.cells
        ]


def _cell(replica: Replica | None, build: Build, server: Server, sessions: int, at: datetime) -> Cell:
    state = state_of(replica, server, at)
    if replica is None:
        return Cell(server.id, state, reported_at=server.last_report_at, bytes_total=build.size)
    lost = state == "no_contact"
    return Cell(
        server_id=server.id,
        state=state,
        # Contact was lost at the server's last report, not when its last phase began.
        since=server.last_report_at if lost else replica.since,
        reported_at=server.last_report_at,
        bytes_done=replica.bytes_done,
        bytes_total=replica.bytes_total or build.size,
        bytes_per_second=0 if lost else replica.bytes_per_second,
        attempt=replica.attempt,
        retry_at=replica.retry_at,
        reason=replica.reason,
        sessions=sessions,
        before=_reported_state(replica) if lost else None,
        paused=server.paused_at is not None,
        kept=replica.kept,
        source=replica.source,
        source_build=replica.source_build,
        fallback=replica.fallback,
    )


def _with_cost(
    cell: Cell, build: Build, server: Server, replicas: Sequence[Replica], costs: TransferCosts, *, is_live: bool
) -> Cell:
    """`replicas`: those of the game on the server."""
    held = builds_after_release(build.id, server, replicas)
    own = next((replica for replica in replicas if replica.build_id == build.id), None)
    cost = costs.for_server(build, held)
    preparing = costs.preparing_percent(build.id) if costs.waits_for_pack(build, held, is_live=is_live) else None
    return replace(cell, to_fetch=bytes_to_fetch(own, cost), preparing=preparing)


def _sessions(game_id: str) -> Counter[tuple[str, str]]:
    rows = db.session.execute(
        select(PlaySession.build_id, PlaySession.server_id, func.count())
        .where(PlaySession.game_id == game_id, PlaySession.ended_at.is_(None))
        .group_by(PlaySession.build_id, PlaySession.server_id)
    )
    return Counter({(build_id, server_id): count for build_id, server_id, count in rows})


def _shown_builds(game: Game, held_ids: set[str]) -> list[Build]:
    """The live build, newer builds, and older ones that a server holds; at most six."""
    newest = select(Build.id).where(Build.game_id == game.id).order_by(Build.number.desc()).limit(200).subquery()
    # A union: with OR, Postgres reads every build of every game.
    shown = union(select(newest.c.id), select(Build.id).where(Build.id == game.released_build_id))
    builds = db.session.scalars(select(Build).where(Build.id.in_(shown)).order_by(Build.number.desc())).all()
    live = next((b for b in builds if b.id == game.released_build_id), None)
    newer = [b for b in builds if live is None or b.number > live.number]
    older = [b for b in builds if live and b.number < live.number and b.id in held_ids]
    return (([live] if live else []) + newer + older)[:ROWS]


def summaries(games: Sequence[Game]) -> dict[str, Summary]:
    """By game id. Two queries for any number of games."""
    at = now()
    servers = active_servers()
    released = [game.released_build_id for game in games if game.released_build_id]
    replicas = {
        (r.build_id, r.server_id): r
        for batch in in_batches(released)
        for r in db.session.scalars(select(Replica).where(Replica.build_id.in_(batch)))
    }
    result: dict[str, Summary] = {}
    for game in games:
        if not game.released_build_id:
            result[game.id] = Summary([], Counter(), None)
            continue
        rows = [(server, replicas.get((game.released_build_id, server.id))) for server in servers]
        states = [state_of(replica, server, at) for server, replica in rows]
        reasons = [(s.id, r.reason) for (s, r), state in zip(rows, states, strict=True) if r and r.reason]
        result[game.id] = Summary(states, Counter(states), reasons[0] if reasons else None)
    return result


def summary(game: Game) -> Summary:
    """One game's summary."""
    return summaries([game])[game.id]
