"""The matrix of a game: the state of its builds on the servers.

The states are those of app/fleet/build_states.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, or_, select, union
from sqlalchemy.orm import joinedload

from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Build, Game
from app.data.models.server import PlaySession, Replica, Server
from app.fleet.active_servers import IS_ACTIVE, active_servers, has_contact, places_on_page
from app.fleet.build_states import reported_state, state_of
from app.fleet.contact import CONTACT_SECONDS
from app.fleet.costs.transfer_costs import TransferCosts, bytes_left, transfer_costs
from app.fleet.replicas import builds_after_release
from app.fleet.rollout_states import Cell, Matrix, MatrixRow, MatrixServer
from app.fleet.waiting_builds import builds_ahead

ROWS = 6
_WAITING = {"queued", "downloading", "retrying", "failed", "no_contact", "not_started"}


def matrix(game: Game, page: int | None = None) -> Matrix:
    """The matrix of one game with the servers of one page, from 1 (None: all servers). Eight queries for any number of
    servers and builds."""
    at, servers = now(), active_servers()
    shown = servers[places_on_page(page, len(servers))]
    rollout = _Rollout(game, servers, at)
    waiting = [server for server in servers if rollout.states.get(server.id) in _WAITING]
    details = _Details(game, rollout.builds, {server.id for server in (*shown, *waiting)}, at)
    rows = [rollout.row(build, [details.cell(build, server) for server in shown]) for build in rollout.builds]
    _set_ahead(game, rows)
    contacts = [s.last_report_at for s in servers if s.last_report_at and has_contact(s, at)]
    live = rollout.live
    return Matrix(
        servers=[MatrixServer(s.id, s.region, s.last_report_at, has_contact(s, at)) for s in shown],
        rows=rows,
        total=len(servers),
        sessions=sum(details.sessions.values()),
        bytes_to_send=sum(details.to_fetch(live, server) for server in waiting) if live else 0,
        counts=Counter(rollout.states.values()),
        failure=rollout.first_failure(),
        lost_at=min(contacts) + timedelta(seconds=CONTACT_SECONDS, milliseconds=100) if contacts else None,
    )


def replica_cell(game: Game, number: int, server_id: str) -> Cell | None:
    """One cell: a build on a server. None if the server is not active, or if the build is in no row of the matrix and
    the server does not hold it."""
    at = now()
    server = db.session.scalar(select(Server).where(IS_ACTIVE, Server.id == server_id))
    builds = _Rollout(game, active_servers(), at).builds
    build = next((build for build in builds if build.number == number), None) or _held_build(game, number, server_id)
    if build is None or server is None:
        return None
    return _single_cell(game, build, server, at)


def operators_cell(build_id: str, server_id: str) -> tuple[Game, Cell] | None:
    """A build on a server as operators see it, with its game: of any partner, however old. None if the server never had
    to do with the build, or is not active."""
    query = (
        select(Game, Build, Server)
        .join(Build, Build.game_id == Game.id)
        .join(Replica, Replica.build_id == Build.id)
        .join(Server, Replica.server_id == Server.id)
        .where(IS_ACTIVE, Build.id == build_id, Server.id == server_id)
    )
    row = db.session.execute(query).one_or_none()
    return (row[0], _single_cell(*row, now(), for_operators=True)) if row else None


def _single_cell(game: Game, build: Build, server: Server, at: datetime, *, for_operators: bool = False) -> Cell:
    row = MatrixRow(build, False, [_Details(game, [build], {server.id}, at).cell(build, server)], 0, False)
    _set_ahead(game, [row], for_operators)
    return row.cells[0]


def _held_build(game: Game, number: int, server_id: str) -> Build | None:
    """A build that a server holds, however old."""
    held = (Replica.server_id == server_id, Replica.phase != "removed")
    of_game = (Build.game_id == game.id, Build.number == number)
    return db.session.scalar(select(Build).join(Replica, Replica.build_id == Build.id).where(*of_game, *held))


class _Rollout:
    """The states of a game's builds on all servers, from a few columns of each replica. `states`: of the live build, by
    server id, in the order of the servers."""

    def __init__(self, game: Game, servers: Sequence[Server], at: datetime) -> None:
        self._servers = {server.id: server for server in servers}
        self._at = at
        columns: Any = (
            Replica.server_id,
            Replica.build_id,
            Replica.phase,
            Replica.attempt,
            Replica.reason,
            Replica.kept,
        )
        rows = db.session.execute(select(*columns).where(Replica.game_id == game.id))
        self._by_build: dict[str, dict[str, Row[Any]]] = {}
        for row in rows:
            if row.server_id in self._servers:
                self._by_build.setdefault(row.build_id, {})[row.server_id] = row
        held = {key for key, on in self._by_build.items() if any(row.phase != "removed" for row in on.values())}
        self.builds = _shown_builds(game, held)
        self.live = next((build for build in self.builds if build.id == game.released_build_id), None)
        on = self._by_build.get(self.live.id, {}) if self.live else {}
        self.states = {s.id: state_of(on.get(s.id), s.last_report_at, at) for s in servers} if self.live else {}

    def row(self, build: Build, cells: list[Cell]) -> MatrixRow:
        on = self._by_build.get(build.id, {})
        reported = {server_id: self._servers[server_id].last_report_at for server_id in on}
        cached = sum(state_of(row, reported[server_id], self._at) == "cached" for server_id, row in on.items())
        return MatrixRow(build, build is self.live, cells, cached, any(row.kept for row in on.values()))

    def first_failure(self) -> tuple[str, str] | None:
        """(server id, reason) of the first server that failed the live build."""
        failed = next((server_id for server_id, state in self.states.items() if state == "failed"), None)
        if failed is None or self.live is None:
            return None
        return failed, self._by_build[self.live.id][failed].reason or ""


class _Details:
    """All that cells show, for some servers. `sessions`: on all servers. Of the other builds only those are read from
    which a server could be updated: a game's servers have rows of every build that they ever held."""

    def __init__(self, game: Game, builds: Sequence[Build], server_ids: Collection[str], at: datetime) -> None:
        self._game, self._at = game, at
        self.sessions = _sessions(game.id)
        self._by_server: dict[str, dict[str, Replica]] = {server_id: {} for server_id in server_ids}
        shown = {build.id for build in builds}
        here = select(Replica).where(
            Replica.game_id == game.id,
            Replica.server_id.in_(server_ids),
            or_(Replica.build_id.in_(shown), Replica.phase == "cached"),
        )
        columns = (Build.number, Build.size, Build.created_at, Build.released_at)
        with_build = joinedload(Replica.build).load_only(*columns, raiseload=True)
        for found in db.session.scalars(here.options(with_build)):
            self._by_server[found.server_id][found.build_id] = found
        on_servers = {build_id for replicas in self._by_server.values() for build_id in replicas}
        self._costs: TransferCosts = transfer_costs(shown | on_servers)

    def cell(self, build: Build, server: Server) -> Cell:
        own = self._by_server[server.id].get(build.id)
        found = _cell(own, build, server, self.sessions[build.id, server.id], self._at)
        return replace(found, to_fetch=self.to_fetch(build, server), preparing=self._preparing_percent(build, server))

    def to_fetch(self, build: Build, server: Server) -> int:
        """Bytes that are still to be sent, also to a server that is not to have the build yet."""
        own = self._by_server[server.id].get(build.id)
        left = bytes_left(own)
        return self._costs.for_server(build, self._held_after(build, server)).bytes if left is None else left

    def _preparing_percent(self, build: Build, server: Server) -> int | None:
        done = self._costs.preparing_percent(build.id)
        if done is None:
            return None
        is_live = build.id == self._game.released_build_id
        waits = self._costs.waits_for_pack(build, self._held_after(build, server), is_live=is_live)
        return done if waits else None

    def _held_after(self, build: Build, server: Server) -> list[Build]:
        """The cached builds that the server keeps when this one is live."""
        return builds_after_release(build.id, server, [*self._by_server[server.id].values()])


def _set_ahead(game: Game, rows: Sequence[MatrixRow], for_operators: bool = False) -> None:
    waiting = {cell.server_id for row in rows for cell in row.cells if cell.state == "queued"}
    found = builds_ahead(game, waiting, for_operators)
    for row in rows:
        row.cells[:] = [
            replace(cell, ahead=found.get(cell.server_id)) if cell.state == "queued" else cell for cell in row.cells
        ]


def _cell(replica: Replica | None, build: Build, server: Server, sessions: int, at: datetime) -> Cell:
    state = state_of(replica, server.last_report_at, at)
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
        before=reported_state(replica.phase, replica.attempt) if lost else None,
        paused=server.paused_at is not None,
        kept=replica.kept,
        keep_previous=server.keep_previous,
        source=replica.source,
        source_build=replica.source_build,
        fallback=replica.fallback,
    )


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
