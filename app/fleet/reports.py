"""Agents' reports, and the changes that follow from them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import or_, select, tuple_
from sqlalchemy.orm import Session, contains_eager

from app.data.database import announce, in_batches, lock_for_update, writing
from app.data.models.base import now
from app.data.models.game import Build, Game
from app.data.models.server import Replica, Server
from app.fleet.contact import BUSY_SECONDS, CONTACT_SECONDS, IDLE_SECONDS, has_contact, is_time_to_announce_all
from app.fleet.play_sessions import LiveSession
from app.fleet.replicas import is_plan_current, replan_on_server
from app.fleet.reported_sessions import match_sessions
from app.fleet.reporting import moved_numbers
from app.fleet.reporting.moved_numbers import SAME_MOMENT, MovedReport
from app.fleet.servers import RecognisedServer, server_row
from app.fleet.transfers import bytes_arrived, record_arrived
from app.fleet.unplanned_builds import adopt
from app.process.crash_points import crash_point
from app.refusals import Conflict
from app.topics.names import FLEET_TOPIC, game_topic, partner_topic, plan_topic
from app.topics.versions import newest_version, stored_version

log = logging.getLogger(__name__)

# Two reports closer together than this, with no change but in numbers: the second is acknowledged and not written.
COALESCE = timedelta(milliseconds=400)
MOVING = {"downloading", "verifying", "evicting"}
HOLDING = {*MOVING, "cached"}


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
    """`ignored_sessions`: ids of sessions whose builds are not in the server's plan. No count includes them."""

    accepted: bool
    plan_version: int
    report_after_seconds: int
    ignored_sessions: list[str] = field(default_factory=list)


def accept(recognised: RecognisedServer, report: Report) -> Receipt:
    """Process one report. Older sequence numbers of the same boot are ignored. A second live boot raises Conflict
    (`two_agents`) and is recorded on the server for the operator."""
    at = now()
    server_id, topic = recognised.id, plan_topic(recognised.id)
    after = BUSY_SECONDS if any(b.phase in MOVING for b in report.builds) else IDLE_SECONDS
    if _can_skip(recognised, report, at):
        return Receipt(True, newest_version(topic), after)
    if _repeats_the_last(recognised, report) and moved_numbers.group.write(_moved(recognised, report, at)):
        _written[server_id] = (report.boot_id, report.sequence, _shape(report))
        return Receipt(True, newest_version(topic), after)
    server = server_row(recognised)
    games: set[str] = set()
    ignored: list[str] = []
    with writing() as session:
        lock_for_update(session, server)
        previous_report_at = server.last_report_at
        conflict = _accept_boot(server, report, at)
        accepted = conflict is None and (server.boot_id != report.boot_id or report.sequence > server.sequence)
        if accepted:
            announce_all = is_time_to_announce_all(server.last_report_at, at)
            games = _update_replicas(session, server, report, at, announce_all)
            _update_server(server, report, at)
            ignored = match_sessions(session, server, report.sessions, at, previous_report_at)
            announce(FLEET_TOPIC)
            crash_point("in-report")
    if conflict:
        raise conflict
    if accepted:
        _written[server_id] = (report.boot_id, report.sequence, _shape(report))
        _log_ignored(server_id, frozenset(ignored))
    for game_id in sorted(games):
        replan_on_server(game_id, server_id)
    return Receipt(accepted, stored_version(topic), after, ignored)


# By server: the ignored sessions of its last report that were logged. Reports repeat them every second.
_logged: dict[str, frozenset[str]] = {}


def _log_ignored(server_id: str, ignored: frozenset[str]) -> None:
    new = ignored - _logged.get(server_id, frozenset())
    if new:
        log.warning(
            "%s reports sessions of builds that are not in its plan; they are ignored: %s",
            server_id,
            ", ".join(sorted(new)[:5]) + (f" and {len(new) - 5} more" if len(new) > 5 else ""),
        )
    if ignored:
        _logged[server_id] = ignored
    else:
        _logged.pop(server_id, None)


def _can_skip(server: RecognisedServer, report: Report, at: datetime) -> bool:
    if not server.last_report_at or at - server.last_report_at > COALESCE:
        return False
    return _repeats_the_last(server, report)


def _repeats_the_last(server: RecognisedServer, report: Report) -> bool:
    """Whether nothing but numbers differs from the last report that this process wrote."""
    if server.boot_id != report.boot_id or report.sequence <= server.sequence or report.stopping:
        return False
    # Boot and sequence show whether the row holds the report remembered here: another process may have written a later
    # one with another phase, which skipping this report would hide.
    return _written.get(server.id) == (server.boot_id, server.sequence, _shape(report))


def _moved(server: RecognisedServer, report: Report, at: datetime) -> MovedReport:
    return MovedReport(
        server_id=server.id,
        boot_id=report.boot_id,
        follows=server.sequence,
        at=at,
        server_values=_server_values(report, at),
        builds=report.builds,
        session_ids=frozenset(session.id for session in report.sessions),
    )


# By server: the last report that this process wrote, without its numbers. Only an optimisation: a process without an
# entry writes.
_written: dict[str, tuple[str, int, object]] = {}


def _shape(report: Report) -> object:
    builds = sorted((b.game_id, b.build, b.phase, b.attempt, b.reason or "") for b in report.builds)
    return builds, sorted(s.id for s in report.sessions)


def _accept_boot(server: Server, report: Report, at: datetime) -> Conflict | None:
    """Decide whether this boot may report for the server. A new boot starts over."""
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


def _update_server(server: Server, report: Report, at: datetime) -> None:
    for name, value in _server_values(report, at).items():
        setattr(server, name, value)
    if server.conflict_at and at - server.conflict_at > timedelta(minutes=5):
        server.conflict_at = server.conflict_boot_id = None


def _server_values(report: Report, at: datetime) -> dict[str, object]:
    """The columns of a server's row that its report sets."""
    health = report.health
    return {
        "boot_id": report.boot_id,
        "sequence": report.sequence,
        "stopping": report.stopping,
        "last_report_at": at,
        "agent_version": report.agent_version,
        "health_status": str(health["status"]),
        "containers": int(str(health["containers"])),
        "cpu_percent": float(str(health["cpu_percent"])),
        "memory_percent": float(str(health["memory_percent"])),
        "disk_percent": float(str(health["disk_percent"])),
        "disk_total_bytes": report.disk.get("totalBytes"),
        "disk_free_bytes": report.disk.get("freeBytes"),
        "disk_floor_bytes": report.disk.get("floorBytes"),
        "bytes_per_second": report.bytes_per_second,
    }


def _update_replicas(session: Session, server: Server, report: Report, at: datetime, announce_all: bool) -> set[str]:
    """Update the server's replicas from the report. Unchanged rows are not written. Returns the games whose wanted
    flags do not fit any more. `server` is as before the report."""
    reported = {(b.game_id, b.build): b for b in report.builds}
    rows = {(row.game_id, row.build.number): row for row in _replicas(session, server, reported)}
    came = _bytes_arrived(server, report, rows, at)
    for key, row in rows.items():
        if key in reported:
            _update_phase(row, reported[key], at)
        else:
            _reset_absent(row, at)
    held = {key: b for key, b in reported.items() if key not in rows and (b.phase in HOLDING or b.bytes_done)}
    for key, row in adopt(session, server, held).items():
        _update_phase(row, held[key], at)
        rows[key] = row
    changed = [row for row in rows.values() if session.is_modified(row)]
    for row in changed:
        row.reported_at = at
    shown = {row.game_id for row in rows.values() if row.phase != "removed"} if announce_all else set()
    partners = _announce_games(session, shown.union(row.game_id for row in changed))
    by_partner = Counter[str]()
    for game_id in came.keys() & partners.keys():
        by_partner[partners[game_id]] += came[game_id]
    record_arrived(session, server.id, by_partner, at)
    return _out_of_line(session, list(rows.values()))


def _replicas(session: Session, server: Server, reported: Iterable[tuple[str, int]]) -> Sequence[Replica]:
    """The server's replicas that exist there, should exist, or are named by the report. Builds loaded, rows locked."""
    query = (
        select(Replica)
        .join(Replica.build)
        .options(contains_eager(Replica.build))
        .order_by(Replica.id)
        .with_for_update(of=Replica, key_share=True)
    )
    # Read their ids first, so that all can be locked in one order.
    named = select(Replica.id, Replica.game_id, Build.number).join(Replica.build).where(Replica.server_id == server.id)
    found = list(session.execute(named.where(or_(Replica.wanted, Replica.phase != "removed"))))
    known = {(game_id, number) for _, game_id, number in found}
    for keys in in_batches((key for key in reported if key not in known), 500):
        found += session.execute(named.where(tuple_(Build.game_id, Build.number).in_(keys)))
    rows: list[Replica] = []
    for ids in in_batches(sorted(row.id for row in found)):
        rows += session.scalars(query.where(Replica.id.in_(ids)))
    return rows


def _bytes_arrived(
    server: Server, report: Report, rows: Mapping[tuple[str, int], Replica], at: datetime
) -> Counter[str]:
    """Bytes since the last report, by game. The first report of a boot shows what is there, not what arrived."""
    came = Counter[str]()
    if server.boot_id != report.boot_id or server.last_report_at is None:
        return came
    seconds = (at - server.last_report_at).total_seconds()
    for b in report.builds:
        row = rows.get((b.game_id, b.build))
        if row is not None:
            came[b.game_id] += bytes_arrived(row, b.phase, b.bytes_done, b.bytes_total, b.bytes_per_second, seconds)
    return +came


def _announce_games(session: Session, game_ids: set[str]) -> dict[str, str]:
    """Returns the partner ids of the games."""
    partners: dict[str, str] = {}
    for ids in in_batches(sorted(game_ids)):
        found = session.execute(select(Game.id, Game.partner_id).where(Game.id.in_(ids)))
        partners.update((row.id, row.partner_id) for row in found)
    for game_id, partner_id in partners.items():
        announce(game_topic(game_id), partner_topic(partner_id))
    return partners


def _out_of_line(session: Session, rows: Sequence[Replica]) -> set[str]:
    by_game: dict[str, list[Replica]] = {}
    for row in rows:
        by_game.setdefault(row.game_id, []).append(row)
    released: dict[str, str | None] = {}
    for ids in in_batches(sorted(by_game)):
        found = session.execute(select(Game.id, Game.released_build_id, Game.deleted_at).where(Game.id.in_(ids)))
        released.update({game_id: None if deleted else build_id for game_id, build_id, deleted in found})
    return {game_id for game_id, held in by_game.items() if not is_plan_current(released.get(game_id), held)}


def _update_phase(row: Replica, reported: ReportedBuild, at: datetime) -> None:
    if reported.phase == "removed":
        _reset_absent(row, at)
        return
    if reported.phase != row.phase:
        row.phase = reported.phase
        row.since = at
        row.cached_at = at if reported.phase == "cached" else None
    row.bytes_done = reported.bytes_done
    row.bytes_total = reported.bytes_total or row.bytes_total
    row.bytes_per_second = reported.bytes_per_second
    row.attempt = reported.attempt
    row.reason = reported.reason[:500] if reported.reason else None
    retry_at = None if reported.retry_in_seconds is None else at + timedelta(seconds=reported.retry_in_seconds)
    if retry_at is None or row.retry_at is None or abs(retry_at - row.retry_at) > SAME_MOMENT:
        row.retry_at = retry_at


def _reset_absent(row: Replica, at: datetime) -> None:
    """The agent's list is complete: builds that it does not name are not there. A wanted build becomes pending again,
    even if the agent reports `removed`: it may have followed a plan from before a rollback."""
    phase = "pending" if row.wanted else "removed"
    if row.phase != phase:
        row.phase = phase
        row.since = at
    row.cached_at = row.reason = row.retry_at = None
    row.bytes_done = row.bytes_per_second = row.attempt = 0
