"""The builds in a report: the server's replicas are updated from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import or_, select, tuple_
from sqlalchemy.orm import Session, contains_eager

from app.data.database import announce, in_batches
from app.data.models.game import Build, Game
from app.data.models.server import Replica, Server, Source
from app.fleet.costs.sent_bytes import count_copies, lock_games
from app.fleet.history.rollout_times import record_cached_everywhere
from app.fleet.replicas import is_plan_current
from app.fleet.reporting.attempt_history import StateBefore, record_attempts
from app.fleet.reporting.unplanned_builds import adopt
from app.fleet.transfers import OwnedGame, bytes_arrived, record_arrived
from app.packing.pack_requests import suspect_packs
from app.topics.names import game_topic, partner_topic

MOVING = {"downloading", "verifying", "evicting"}
HOLDING = {*MOVING, "cached"}
# A copy that was complete stays so in these phases.
HOLDS_COPY = {"cached", "verifying", "evicting"}
IN_TRANSFER = {"downloading", "verifying", "failed"}
# "In 39.2 s", reported 0.8 s after "in 40 s", is the same moment.
SAME_MOMENT = timedelta(seconds=2)
Key = tuple[str, int]  # game id, build number


@dataclass(frozen=True)
class ReportedSource:
    """What a copy is made from. `from_build`: the number of the build that an update
    starts from. `fallback`: why the archive was used although there is a pack."""

    kind: Source
    from_build: int | None = None
    fallback: str | None = None


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
    source: ReportedSource | None = None


@dataclass(frozen=True)
class ReportedBuilds:
    """All builds that a server reports. `boot_id` and `previous_boot_id`: those of its agent."""

    boot_id: str
    previous_boot_id: str | None
    builds: Sequence[ReportedBuild]


class StoredBuild(Protocol):
    """The part of a replica's row from which, with a report, its next values follow."""

    @property
    def source(self) -> Source | None: ...
    @property
    def source_build(self) -> int | None: ...
    @property
    def fallback(self) -> str | None: ...
    @property
    def bytes_total(self) -> int: ...
    @property
    def retry_at(self) -> datetime | None: ...


def update_replicas(
    session: Session, server: Server, report: ReportedBuilds, at: datetime, announce_all: bool
) -> set[str]:
    """Update the server's replicas from the report. Unchanged rows are not written. Returns the games whose flags
    `wanted` and `kept` do not fit any more. `server` is as before the report."""
    reported = {(b.game_id, b.build): b for b in report.builds}
    found = _find_replicas(session, server, report, reported)
    lock_games(session, {game_id for game_id, _ in found.new_copies | found.becoming_cached})
    rows = {(row.game_id, row.build.number): row for row in _lock_replicas(session, found.ids)}
    complete = [row for key, row in rows.items() if key in found.new_copies and row.cached_at is None]
    came = _bytes_arrived(server, report, rows, at)
    before = {row.id: StateBefore.of(row) for row in rows.values()}
    refused_before = {row.id: row.fallback for row in rows.values()}
    for key, row in rows.items():
        if key in reported:
            _update_phase(row, reported[key], at)
        else:
            _reset_absent(row, at)
    changed = [row for row in rows.values() if session.is_modified(row)]  # before a query writes them
    refused = {row.build_id for row in changed if row.fallback and row.fallback != refused_before[row.id]}
    record_attempts(session, changed, before, {row.id for row in complete}, at)
    held = {key: b for key, b in reported.items() if key not in rows and (b.phase in HOLDING or b.bytes_done)}
    for key, row in adopt(session, server, held).items():
        _update_phase(row, held[key], at)
        rows[key] = row
        changed.append(row)
    for row in changed:
        row.reported_at = at
    shown = {row.game_id for row in rows.values() if row.phase != "removed"} if announce_all else set()
    partners = _announce_games(session, shown.union(row.game_id for row in changed))
    by_game = {OwnedGame(partners[game_id], game_id): came[game_id] for game_id in came.keys() & partners.keys()}
    record_arrived(session, server.id, by_game, at)
    count_copies(session, complete, list(rows.values()))
    record_cached_everywhere(session, {game_id for game_id, _ in found.becoming_cached}, at)
    if refused:
        suspect_packs(session, refused)  # last: whoever waits for a pack's row may hold what comes before
    return _out_of_line(session, server, list(rows.values()))


@dataclass(frozen=True)
class _Found:
    """Replicas of one server that its report may change. `new_copies`: builds that it has completed since its last
    report; `becoming_cached`: those and others that the report names as cached, and the last one did not."""

    ids: Sequence[int]
    new_copies: set[Key]
    becoming_cached: set[Key]


def _find_replicas(
    session: Session, server: Server, report: ReportedBuilds, reported: Mapping[Key, ReportedBuild]
) -> _Found:
    """The server's replicas that exist there, should exist, or are named by the report."""
    named = select(Replica.id, Replica.game_id, Build.number, Replica.phase, Replica.cached_at)
    named = named.join(Replica.build).where(Replica.server_id == server.id)
    found = list(session.execute(named.where(or_(Replica.wanted, Replica.phase != "removed"))))
    known = {(row.game_id, row.number) for row in found}
    for keys in in_batches((key for key in reported if key not in known), 500):
        found += session.execute(named.where(tuple_(Build.game_id, Build.number).in_(keys)))
    # The first report after a restored database, or of a server that was added again, shows what was there before.
    continues = server.boot_id is not None and server.boot_id in {report.boot_id, report.previous_boot_id}
    new_copies = {
        (row.game_id, row.number)
        for row in found
        if row.cached_at is None
        and (key := (row.game_id, row.number)) in reported
        and reported[key].phase == "cached"
        and (continues or row.phase in IN_TRANSFER)
    }
    becoming_cached = {
        key
        for row in found
        if row.phase != "cached" and (key := (row.game_id, row.number)) in reported and reported[key].phase == "cached"
    }
    return _Found(sorted(row.id for row in found), new_copies, becoming_cached)


def _lock_replicas(session: Session, row_ids: Sequence[int]) -> Sequence[Replica]:
    """Locked in one order, with their builds loaded."""
    query = (
        select(Replica)
        .join(Replica.build)
        .options(contains_eager(Replica.build))
        .order_by(Replica.id)
        .with_for_update(of=Replica, key_share=True)
    )
    rows: list[Replica] = []
    for ids in in_batches(row_ids):
        rows += session.scalars(query.where(Replica.id.in_(ids)))
    return rows


def _bytes_arrived(
    server: Server, report: ReportedBuilds, rows: Mapping[tuple[str, int], Replica], at: datetime
) -> Counter[str]:
    """Bytes since the last report, by game. The first report of a boot shows what is there, not what arrived."""
    came = Counter[str]()
    if server.boot_id != report.boot_id or server.last_report_at is None:
        return came
    seconds = (at - server.last_report_at).total_seconds()
    for b in report.builds:
        row = rows.get((b.game_id, b.build))
        if row is not None:
            more = bytes_arrived(row, b.phase, b.bytes_done, b.bytes_total, b.bytes_per_second, seconds)
            # A report may contain any number. No way to a build takes more than its archive and all its files.
            came[b.game_id] += min(more, row.build.size + row.build.unpacked_bytes)
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


def _out_of_line(session: Session, server: Server, rows: Sequence[Replica]) -> set[str]:
    by_game: dict[str, list[Replica]] = {}
    for row in rows:
        by_game.setdefault(row.game_id, []).append(row)
    released: dict[str, str | None] = {}
    for ids in in_batches(sorted(by_game)):
        found = session.execute(select(Game.id, Game.released_build_id, Game.deleted_at).where(Game.id.in_(ids)))
        released.update({game_id: None if deleted else build_id for game_id, build_id, deleted in found})
    keep = server.keep_previous
    return {game_id for game_id, held in by_game.items() if not is_plan_current(released.get(game_id), held, keep)}


def _update_phase(row: Replica, reported: ReportedBuild, at: datetime) -> None:
    if reported.phase == "removed":
        _reset_absent(row, at)
        return
    if reported.phase != row.phase:
        row.phase = reported.phase
        row.since = at
        if reported.phase not in HOLDS_COPY:
            row.cached_at = None
        elif reported.phase == "cached":
            row.cached_at = row.cached_at or at
    for name, value in {**state_after(row, reported), **numbers_after(row, reported, at)}.items():
        setattr(row, name, value)


def state_after(row: StoredBuild, reported: ReportedBuild) -> dict[str, object]:
    """The columns besides the phase that change seldom, as a report leaves them."""
    values: dict[str, object] = {
        "attempt": reported.attempt,
        "reason": _short(reported.reason),
        "source": row.source,
        "source_build": row.source_build,
        "fallback": row.fallback,
    }
    # A report without a source is from an agent that only fetches archives, or after the transfer.
    if (source := reported.source) is not None:
        values |= {"source": source.kind, "source_build": source.from_build, "fallback": _short(source.fallback)}
    elif reported.phase not in HOLDS_COPY:
        values |= {"source": None, "source_build": None, "fallback": None}
    return values


def numbers_after(row: StoredBuild, reported: ReportedBuild, at: datetime) -> dict[str, object]:
    """The columns that move while a build arrives, as a report leaves them."""
    total = reported.bytes_total or row.bytes_total
    return {
        "bytes_total": total,
        "bytes_done": min(reported.bytes_done, total) if total else reported.bytes_done,
        "bytes_per_second": reported.bytes_per_second,
        "retry_at": _retry_at(row, reported, at),
    }


def _short(text: str | None) -> str | None:
    return text[:500] if text else None


def _retry_at(row: StoredBuild, reported: ReportedBuild, at: datetime) -> datetime | None:
    """The row's own time if the reported one is the same but for rounding."""
    if reported.retry_in_seconds is None:
        return None
    retry_at, before = at + timedelta(seconds=reported.retry_in_seconds), row.retry_at
    return before if before is not None and abs(retry_at - before) <= SAME_MOMENT else retry_at


def _reset_absent(row: Replica, at: datetime) -> None:
    """The agent's list is complete: builds that it does not name are not there. A wanted build becomes pending again,
    even if the agent reports `removed`: it may have followed a plan from before a rollback."""
    phase = "pending" if row.wanted else "removed"
    if row.phase != phase:
        row.phase = phase
        row.since = at
    row.cached_at = row.reason = row.retry_at = None
    row.source = row.source_build = row.fallback = None
    row.bytes_done = row.bytes_per_second = row.attempt = 0
