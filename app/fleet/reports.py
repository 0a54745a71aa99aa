"""What agents say of their servers, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.database import announce, lock_for_update, writing
from app.fleet.events import FLEET_TOPIC, game_topic, hub, partner_topic, plan_topic
from app.fleet.replicas import replan
from app.fleet.sessions import LiveSession, match_sessions
from app.models import Build, Game, Replica, Server, now
from app.refusals import Conflict

CONTACT_SECONDS = 30
BUSY_SECONDS, IDLE_SECONDS = 1, 10
# Reports closer together than this, in which nothing but numbers moved, are acknowledged and not written.
COALESCE = timedelta(milliseconds=400)
MOVING = {"downloading", "verifying", "evicting"}


@dataclass(frozen=True)
class ReportedBuild:
    game_id: str
    build: int
    phase: str
    bytes_done: int = 0
    bytes_total: int = 0
    bytes_per_second: int = 0
    attempt: int = 0
    reason: str | None = None
    retry_in_seconds: float | None = None


@dataclass(frozen=True)
class Report:
    boot_id: str
    previous_boot_id: str | None
    sequence: int
    agent_version: str | None
    stopping: bool
    health: dict[str, object]
    disk: dict[str, int]
    bytes_per_second: int
    builds: Sequence[ReportedBuild] = field(default_factory=list)
    sessions: Sequence[LiveSession] = field(default_factory=list)


@dataclass(frozen=True)
class Receipt:
    accepted: bool
    plan_version: int
    report_after_seconds: int


def has_contact(server: Server, at: datetime) -> bool:
    """Whether the server's last report is fresh enough to be believed."""
    return bool(server.last_report_at and at - server.last_report_at <= timedelta(seconds=CONTACT_SECONDS))


def accept(server: Server, report: Report) -> Receipt:
    """Take one report. Older sequences of the same boot are ignored; a second live boot raises Conflict
    (`two_agents`) and is noted on the server for the operator."""
    at = now()
    busy = any(b.phase in MOVING for b in report.builds)
    after = BUSY_SECONDS if busy else IDLE_SECONDS
    if _may_be_skipped(server, report, at):
        return Receipt(True, hub.version(plan_topic(server.id)), after)
    with writing() as session:
        lock_for_update(session, server)
        conflict = _take_over(server, report, at)
        accepted = conflict is None and (server.boot_id != report.boot_id or report.sequence > server.sequence)
        if accepted:
            _note_health(server, report, at)
            _note_builds(session, server, report, at)
            match_sessions(session, server, report.sessions, at)
            announce(FLEET_TOPIC)
    if conflict:
        raise conflict
    return Receipt(accepted, hub.version(plan_topic(server.id)), after)


def _may_be_skipped(server: Server, report: Report, at: datetime) -> bool:
    if server.boot_id != report.boot_id or report.sequence <= server.sequence or report.stopping:
        return False
    if not server.last_report_at or at - server.last_report_at > COALESCE:
        return False
    seen = _last_shape.get(server.id)
    return seen == _shape(report)


# What the last written report of each server looked like, numbers left out; only ever an optimisation, so a process
# that does not know it writes.
_last_shape: dict[str, object] = {}


def _shape(report: Report) -> object:
    builds = sorted((b.game_id, b.build, b.phase, b.attempt, b.reason or "") for b in report.builds)
    return builds, sorted(s.id for s in report.sessions)


def _take_over(server: Server, report: Report, at: datetime) -> Conflict | None:
    """Decide whether this boot may speak for the server; start over for a new one."""
    if server.boot_id in {None, report.boot_id}:
        return None
    silent = not has_contact(server, at) or server.stopping
    if not silent and report.previous_boot_id != server.boot_id:
        server.conflict_at = at
        server.conflict_boot_id = report.boot_id
        announce(FLEET_TOPIC)
        return Conflict(
            f"Another agent is reporting for '{server.id}' with the same token. Stop it, or give this machine a token "
            f"of its own. If the other one is gone, this agent is accepted after {CONTACT_SECONDS} seconds of silence.",
            "two_agents",
        )
    return None


def _note_health(server: Server, report: Report, at: datetime) -> None:
    server.boot_id = report.boot_id
    server.sequence = report.sequence
    server.stopping = report.stopping
    server.last_report_at = at
    server.agent_version = report.agent_version
    health = report.health
    server.health_status = str(health["status"])
    server.containers = int(str(health["containers"]))
    server.cpu_percent = float(str(health["cpu_percent"]))
    server.memory_percent = float(str(health["memory_percent"]))
    server.disk_percent = float(str(health["disk_percent"]))
    server.disk_total_bytes = report.disk.get("totalBytes")
    server.disk_free_bytes = report.disk.get("freeBytes")
    server.disk_floor_bytes = report.disk.get("floorBytes")
    server.bytes_per_second = report.bytes_per_second
    if server.conflict_at and at - server.conflict_at > timedelta(minutes=5):
        server.conflict_at = server.conflict_boot_id = None
    _last_shape[server.id] = _shape(report)


def _note_builds(session: Session, server: Server, report: Report, at: datetime) -> None:
    rows = session.scalars(
        select(Replica).where(Replica.server_id == server.id).options(joinedload(Replica.build))
    ).all()
    known = {(row.game_id, row.build.number): row for row in rows}
    said = {(b.game_id, b.build): b for b in report.builds}
    newly_cached: set[str] = set()
    touched: set[str] = set()
    for key, row in known.items():
        reported = said.get(key)
        before = row.phase
        if reported is not None:
            _note_phase(row, reported, at)
        elif row.phase not in {"pending", "removed"}:
            _note_absence(row, at)
        row.reported_at = at
        if row.phase != "removed" or before != "removed":
            touched.add(row.game_id)
        if row.phase != before and "cached" in {row.phase, before}:
            newly_cached.add(row.game_id)
    _adopt_unknown(session, server, [b for key, b in said.items() if key not in known], at)
    session.flush()
    _after(session, server, newly_cached, touched)


def _after(session: Session, server: Server, recached: set[str], touched: set[str]) -> None:
    """A build that became whole (or was lost) changes what else the server should hold."""
    if touched:
        games = session.scalars(select(Game).where(Game.id.in_(touched))).all()
        for game in games:
            announce(game_topic(game.id), partner_topic(game.partner_id))
            if game.id in recached:
                replan(session, game, [server])


def _note_phase(row: Replica, said: ReportedBuild, at: datetime) -> None:
    if said.phase != row.phase:
        row.phase = said.phase
        row.since = at
        row.cached_at = at if said.phase == "cached" else None
    row.bytes_done = said.bytes_done
    row.bytes_total = said.bytes_total or row.bytes_total
    row.bytes_per_second = said.bytes_per_second
    row.attempt = said.attempt
    row.reason = said.reason[:500] if said.reason else None
    row.retry_at = None if said.retry_in_seconds is None else at + timedelta(seconds=said.retry_in_seconds)


def _note_absence(row: Replica, at: datetime) -> None:
    """The agent's list is complete: what it does not name, it does not hold."""
    row.phase = "pending" if row.wanted else "removed"
    row.since = at
    row.cached_at = None
    row.bytes_done = row.bytes_per_second = 0
    row.reason = row.retry_at = None


def _adopt_unknown(session: Session, server: Server, said: Sequence[ReportedBuild], at: datetime) -> None:
    """A build of ours that the server holds though no row says so (a restored database, say): note it, so that
    the plan can name it for eviction."""
    for reported in said:
        if reported.phase == "removed":
            continue
        build = session.scalar(select(Build).where(Build.game_id == reported.game_id, Build.number == reported.build))
        if build is None:
            continue
        row = Replica(
            server_id=server.id,
            build_id=build.id,
            game_id=build.game_id,
            wanted=False,
            bytes_total=build.size,
            phase="pending",
            since=at,
            reported_at=at,
        )
        _note_phase(row, reported, at)
        session.add(row)
        announce(plan_topic(server.id))
