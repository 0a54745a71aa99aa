"""Reports in which only numbers moved (bytes, rates, load): most reports of a busy server. They are written in groups.

Each report is durable when it is answered. While one group is being written and its commit waits for the disk, and for
some milliseconds after, the next one collects, so that a group grows with the load: 500 servers share a few dozen
transactions per second. A report in which anything else changed, by the agent or by the platform, is left to
app/fleet/reports.py (docs/decisions/0072).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, or_, select, update
from sqlalchemy.orm import Session

from app.data.database import announce, free_connection, writing
from app.data.list_parameters import is_among
from app.data.models.game import Build, Game
from app.data.models.server import PlaySession, Replica, Server
from app.fleet.contact import is_time_to_announce_all
from app.fleet.reporting.report_coalescing import is_older_than_skipped
from app.fleet.reporting.reported_builds import ReportedBuild, numbers_after, state_after
from app.fleet.transfers import OwnedGame, bytes_arrived, record_all_arrived
from app.topics.names import FLEET_TOPIC, game_topic, partner_topic

log = logging.getLogger(__name__)

MAX_GROUP = 200
# Groups begin at least this far apart. A transaction takes some milliseconds of CPU, however few reports it has; at one
# report per second of 500 servers, one begins every two milliseconds.
GROUP_INTERVAL_SECONDS = 0.02
_UNREPORTED = "pending"  # the phase of a build that its server has not begun


@dataclass
class MovedReport:
    """A report that names the same builds in the same state as the last one that was written, `follows` by number.
    `server_values`: the columns of the server's row. `written`: whether the group wrote it, after `done`. `turn` is
    released when its thread is to go on. A lock, because an Event takes several times as long."""

    server_id: str
    boot_id: str
    sequence: int
    follows: int
    at: datetime
    server_values: Mapping[str, object]
    builds: Sequence[ReportedBuild]
    session_ids: frozenset[str]
    done: bool = field(default=False, init=False)
    written: bool = field(default=False, init=False)
    turn: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        self.turn.acquire()


class ReportGroup:
    """Collects reports while another thread writes. One per process; thread-safe.

    One thread leads: it writes all that wait, its own among them, wakes their threads, and lets the first of those that
    came meanwhile lead. The others only wait to be woken: a lock that all had to take would make each wait again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._has_leader = False
        self._waiting: list[MovedReport] = []
        self._next_at = 0.0

    def write(self, report: MovedReport) -> bool:
        """Write the report together with those that wait. Returns after the commit, and False if more than numbers
        changed: then nothing of it was written."""
        free_connection()  # before the wait
        with self._lock:
            self._waiting.append(report)
            leads = not self._has_leader
            self._has_leader = True
        if not leads:
            report.turn.acquire()
        if not report.done:
            self._lead()
        return report.written

    def _lead(self) -> None:
        pause = self._next_at - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        self._next_at = time.monotonic() + GROUP_INTERVAL_SECONDS
        with self._lock:
            group, self._waiting = self._waiting[:MAX_GROUP], self._waiting[MAX_GROUP:]
        try:
            by_server = {report.server_id: report for report in reversed(group)}  # one each, the first that came
            with writing() as session:
                written = _write(session, by_server)
            for report in written:
                report.written = True
        except Exception:
            # One of them may be the cause. Each is tried alone, and answers its own error.
            log.exception("a group of %s reports could not be written together", len(group))
        finally:
            for report in group:
                report.done = True
                report.turn.release()
            with self._lock:
                self._has_leader = bool(self._waiting)
                if self._has_leader:
                    self._waiting[0].turn.release()


group = ReportGroup()


def _write(session: Session, reports: Mapping[str, MovedReport]) -> list[MovedReport]:
    """Write those in which only numbers moved, and return them. Rows are locked in the order of `lock_for_update`."""
    servers = {row.id: row for row in _lock_servers(session, reports) if _follows(row, reports[row.id])}
    rows: dict[str, dict[tuple[str, int], Row[Any]]] = defaultdict(dict)
    for row in _lock_replicas(session, servers):
        rows[row.server_id][row.game_id, row.number] = row
    sessions = _running_sessions(session, servers)
    written = [
        report
        for server_id, report in reports.items()
        if server_id in servers
        and sessions[server_id] == report.session_ids
        and _only_numbers_moved(report, rows[server_id])
    ]
    came: dict[str, Counter[OwnedGame]] = {}
    moved: list[dict[str, Any]] = []
    for report in written:
        server, held = servers[report.server_id], rows[report.server_id]
        came[report.server_id] = _bytes_arrived(report, held, server.last_report_at)
        changed = _changed(report, held)
        moved += changed.values()
        shown = held.values() if is_time_to_announce_all(server.last_report_at, report.at) else ()
        for row in (*shown, *(held[key] for key in changed)):
            announce(game_topic(row.game_id), partner_topic(row.partner_id))
    if written:
        connection = session.connection()
        connection.execute(_UPDATE_SERVER, [{"server": r.server_id, **r.server_values} for r in written])
        if moved:
            connection.execute(_UPDATE_REPLICA, moved)
        record_all_arrived(session, came, written[0].at)
        announce(FLEET_TOPIC)
    return written


_COLUMNS: Any = (
    Replica.id,
    Replica.server_id,
    Replica.game_id,
    Game.partner_id,
    Build.number,
    Build.size,
    Build.unpacked_bytes,
    Replica.wanted,
    Replica.phase,
    Replica.attempt,
    Replica.reason,
    Replica.source,
    Replica.source_build,
    Replica.fallback,
    Replica.bytes_done,
    Replica.bytes_total,
    Replica.bytes_per_second,
    Replica.retry_at,
    Replica.reported_at,
)


@dataclass(frozen=True)
class _Reads:
    """What a group reads of its servers, which are the parameter `servers`."""

    servers: Any
    replicas: Any
    sessions: Any

    @classmethod
    def on(cls, dialect: str) -> _Reads:
        servers = (
            select(Server.id, Server.boot_id, Server.sequence, Server.stopping, Server.last_report_at)
            .where(is_among(Server.id, "servers", dialect), Server.retired_at.is_(None), Server.conflict_at.is_(None))
            .order_by(Server.id)
            .with_for_update(key_share=True)
        )
        replicas = (
            select(*_COLUMNS)
            .select_from(Replica)
            .join(Build, Replica.build_id == Build.id)
            .join(Game, Replica.game_id == Game.id)
            .where(is_among(Replica.server_id, "servers", dialect), or_(Replica.wanted, Replica.phase != "removed"))
            .order_by(Replica.id)
            .with_for_update(of=Replica, key_share=True)
        )
        sessions = select(PlaySession.server_id, PlaySession.id, PlaySession.missed_reports).where(
            is_among(PlaySession.server_id, "servers", dialect), PlaySession.ended_at.is_(None)
        )
        return cls(servers, replicas, sessions)


# Made once: making them takes longer than running them.
_READS = {dialect: _Reads.on(dialect) for dialect in ("postgresql", "sqlite")}
_UPDATE_SERVER = update(Server.__table__).where(Server.id == bindparam("server"))  # type: ignore[arg-type]  # a Table
_UPDATE_REPLICA = update(Replica.__table__).where(Replica.id == bindparam("replica"))  # type: ignore[arg-type]  # a Table


def _lock_servers(session: Session, reports: Mapping[str, MovedReport]) -> Sequence[Row[Any]]:
    connection = session.connection()
    return connection.execute(_READS[connection.dialect.name].servers, {"servers": list(reports)}).all()


def _follows(row: Row[Any], report: MovedReport) -> bool:
    """Whether the row holds the report before this one. Another process may have written a later one, or a later one
    was acknowledged and not written."""
    if row.boot_id != report.boot_id or row.sequence != report.follows or row.stopping:
        return False
    return not is_older_than_skipped(report.server_id, report.boot_id, report.sequence)


def _lock_replicas(session: Session, servers: Mapping[str, object]) -> Sequence[Row[Any]]:
    connection = session.connection()
    return connection.execute(_READS[connection.dialect.name].replicas, {"servers": list(servers)}).all()


def _running_sessions(session: Session, servers: Mapping[str, object]) -> Mapping[str, set[str]]:
    """By server: the ids of its running sessions. One that the last report did not name makes the set differ from
    every report's."""
    found: dict[str, set[str]] = defaultdict(set)
    connection = session.connection()
    for row in connection.execute(_READS[connection.dialect.name].sessions, {"servers": list(servers)}):
        found[row.server_id].add("" if row.missed_reports else row.id)
    return found


def _only_numbers_moved(report: MovedReport, held: Mapping[tuple[str, int], Row[Any]]) -> bool:
    reported = {(b.game_id, b.build): b for b in report.builds}
    if not reported.keys() <= held.keys():
        return False
    return all(
        _is_same_state(row, reported[key]) if key in reported else _is_unreported(row) for key, row in held.items()
    )


def _is_same_state(row: Row[Any], reported: ReportedBuild) -> bool:
    after = {"phase": reported.phase, **state_after(row, reported)}
    return reported.phase != "removed" and all(getattr(row, name) == value for name, value in after.items())


def _is_unreported(row: Row[Any]) -> bool:
    return bool(row.wanted and (row.phase, row.attempt, row.bytes_done) == (_UNREPORTED, 0, 0))


def _bytes_arrived(
    report: MovedReport, held: Mapping[tuple[str, int], Row[Any]], last_report_at: datetime | None
) -> Counter[OwnedGame]:
    """By game: bytes since the last report."""
    came = Counter[OwnedGame]()
    if last_report_at is None:
        return came
    seconds = (report.at - last_report_at).total_seconds()
    for b in report.builds:
        row = held[b.game_id, b.build]
        more = bytes_arrived(row, b.phase, b.bytes_done, b.bytes_total, b.bytes_per_second, seconds)
        # As in reported_builds.py: a report may contain any number.
        came[OwnedGame(row.partner_id, row.game_id)] += min(more, row.size + row.unpacked_bytes)
    return +came


def _changed(report: MovedReport, held: Mapping[tuple[str, int], Row[Any]]) -> dict[tuple[str, int], dict[str, Any]]:
    """The new values of the replicas that differ from their rows."""
    changed = {}
    for b in report.builds:
        row = held[b.game_id, b.build]
        after = numbers_after(row, b, report.at)
        if any(getattr(row, name) != value for name, value in after.items()):
            changed[b.game_id, b.build] = {"replica": row.id, "reported_at": report.at, **after}
    return changed
