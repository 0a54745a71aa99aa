"""Agents' reports, and the changes that follow from them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from app.data.database import announce, lock_for_update, writing
from app.data.models.base import now
from app.data.models.server import Server
from app.fleet.active_servers import has_contact
from app.fleet.contact import BUSY_SECONDS, CONTACT_SECONDS, IDLE_SECONDS, is_time_to_announce_all, report_after
from app.fleet.play_sessions import LiveSession
from app.fleet.replicas import replan_on_server
from app.fleet.reporting import moved_numbers
from app.fleet.reporting.moved_numbers import MovedReport
from app.fleet.reporting.report_coalescing import (
    can_skip,
    is_older_than_skipped,
    record_skipped,
    remember_written,
    repeats_the_last,
)
from app.fleet.reporting.reported_builds import MOVING, ReportedBuilds, update_replicas
from app.fleet.reporting.reported_builds import ReportedBuild as ReportedBuild  # for callers
from app.fleet.reporting.reported_builds import ReportedSource as ReportedSource
from app.fleet.reporting.reported_sessions import match_sessions
from app.fleet.servers import RecognisedServer, server_row
from app.limits import thread_budgets
from app.process.crash_points import crash_point
from app.refusals import Conflict
from app.topics.names import FLEET_TOPIC, plan_topic
from app.topics.versions import stored_version

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Report(ReportedBuilds):
    sequence: int
    agent_version: str | None
    stopping: bool
    health: dict[str, object]
    disk: dict[str, int]
    bytes_per_second: int
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
    server_id = recognised.id
    report = replace(report, builds=[_possible(build) for build in report.builds])
    is_busy = any(build.phase in MOVING for build in report.builds)
    after = report_after(BUSY_SECONDS if is_busy else IDLE_SECONDS, thread_budgets.calls.load)
    number, shape = (report.boot_id, report.sequence), _shape(report)
    if not report.stopping and can_skip(recognised, *number, shape, at):
        return Receipt(record_skipped(server_id, *number, shape), recognised.plan_version, after)
    only_numbers = not report.stopping and repeats_the_last(recognised, *number, shape)
    if only_numbers and moved_numbers.group.write(_moved(recognised, report, at)):
        remember_written(server_id, *number, shape)
        return Receipt(True, recognised.plan_version, after)
    accepted, ignored = _write_alone(server_row(recognised), report, at)
    if accepted:
        remember_written(server_id, *number, shape)
        _log_ignored(server_id, frozenset(ignored))
    return Receipt(accepted, stored_version(plan_topic(server_id)), after, ignored)


def _write_alone(server: Server, report: Report, at: datetime) -> tuple[bool, list[str]]:
    """Write a report that may change anything. Returns whether it was accepted, and the ids of ignored sessions."""
    server_id = server.id
    games: set[str] = set()
    ignored: list[str] = []
    with writing() as session:
        lock_for_update(session, server)
        previous_report_at = server.last_report_at
        conflict = _accept_boot(server, report, at)
        accepted = conflict is None and (server.boot_id != report.boot_id or report.sequence > server.sequence)
        accepted = accepted and not is_older_than_skipped(server_id, report.boot_id, report.sequence)
        if accepted:
            announce_all = is_time_to_announce_all(server.last_report_at, at)
            games = update_replicas(session, server, report, at, announce_all)
            _update_server(server, report, at)
            ignored = match_sessions(session, server, report.sessions, at, previous_report_at)
            announce(FLEET_TOPIC)
            crash_point("in-report")
    if conflict:
        raise conflict
    for game_id in sorted(games):
        replan_on_server(game_id, server_id)
    return accepted, ignored


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


def _possible(build: ReportedBuild) -> ReportedBuild:
    """Agents count what they fetch; more than everything is a wrong count, not a reason to refuse the report."""
    if build.bytes_total and build.bytes_done > build.bytes_total:
        return replace(build, bytes_done=build.bytes_total)
    return build


def _shape(report: Report) -> object:
    builds = sorted((b.game_id, b.build, b.phase, b.attempt, b.reason or "", str(b.source)) for b in report.builds)
    return builds, sorted(s.id for s in report.sessions)


def _moved(server: RecognisedServer, report: Report, at: datetime) -> MovedReport:
    return MovedReport(
        server_id=server.id,
        boot_id=report.boot_id,
        sequence=report.sequence,
        follows=server.sequence,
        at=at,
        server_values=_server_values(report, at),
        builds=report.builds,
        session_ids=frozenset(session.id for session in report.sessions),
    )


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
    health, disk = report.health, report.disk
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
        "disk_total_bytes": disk["totalBytes"],
        "disk_free_bytes": min(disk["freeBytes"], disk["totalBytes"]),
        "disk_floor_bytes": min(disk["floorBytes"], disk["totalBytes"]),
        "bytes_per_second": report.bytes_per_second,
    }
