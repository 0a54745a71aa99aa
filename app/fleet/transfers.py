"""Bytes per minute that arrived, by server and game: for the dashboard's lines of the last hour, and for the totals per
hour that a sweep makes of them (app/fleet/history/transfer_hours.py)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.data.extensions import db
from app.data.models.base import now
from app.data.models.server import TransferMinute

RETENTION = timedelta(hours=3)  # then a sweep adds them to their hours
SHOWN_MINUTES = 60
RATE_WINDOW = 5.0  # seconds over which agents measure their reported rate


class OwnedGame(NamedTuple):
    """A game and its partner, by id."""

    partner_id: str
    game_id: str


class BytesBefore(Protocol):
    """The part of a replica that says what arrived since."""

    @property
    def phase(self) -> str: ...
    @property
    def bytes_done(self) -> int: ...
    @property
    def bytes_per_second(self) -> int: ...
    @property
    def reported_at(self) -> datetime | None: ...


def bytes_arrived(
    before: BytesBefore, phase: str, bytes_done: int, bytes_total: int, bytes_per_second: int, seconds: float
) -> int:
    """Bytes that arrived over the network since the row `before` was reported, `seconds` ago, according to the server's
    new report.

    Progress alone is not enough: a retried download begins at 0 and jumps to the part that was kept, and after a
    rollback a build may be cached that was never removed. The rate counts only bytes that arrived.
    """
    if before.phase not in {"pending", "downloading", "failed"} or phase not in {
        "downloading",
        "verifying",
        "cached",
        "failed",
    }:
        return 0
    complete = phase in {"verifying", "cached"}
    more = max(0, (bytes_total if complete else bytes_done) - before.bytes_done)
    rate = max(bytes_per_second, before.bytes_per_second if before.phase == "downloading" else 0)
    if rate:
        return min(more, round(rate * max(seconds, RATE_WINDOW)))
    # No rate: nothing arrived, or the download began and ended between two reports.
    new = before.phase == "downloading" or (before.phase == "pending" and before.reported_at is None)
    return more if complete and new else 0


def _add_statement(insert: Any) -> Any:
    keys = ["server_id", "minute", "partner_id", "game_id"]
    added = TransferMinute.bytes + insert.excluded.bytes
    return insert.on_conflict_do_update(index_elements=keys, set_={"bytes": added})


# Made once: making it takes longer than running it.
_ADD = {
    "postgresql": _add_statement(postgresql.insert(TransferMinute)),
    "sqlite": _add_statement(sqlite.insert(TransferMinute)),
}


def record_arrived(session: Session, server_id: str, by_game: Mapping[OwnedGame, int], at: datetime) -> None:
    """Add bytes by game to the current minute. Inside writing()."""
    record_all_arrived(session, {server_id: by_game}, at)


def record_all_arrived(session: Session, by_server: Mapping[str, Mapping[OwnedGame, int]], at: datetime) -> None:
    """Add bytes by server id and game to the current minute. Inside writing()."""
    minute = at.replace(second=0, microsecond=0)
    rows = [
        {"server_id": server_id, "minute": minute, "partner_id": partner_id, "game_id": game_id, "bytes": count}
        for server_id, by_game in sorted(by_server.items())
        for (partner_id, game_id), count in sorted(by_game.items())
        if count > 0
    ]
    if rows:
        connection = session.connection()
        connection.execute(_ADD[connection.dialect.name], rows)


def last_hour(server_ids: Collection[str], partner_id: str | None = None) -> dict[str, list[int]]:
    """Bytes of each of the last 60 minutes, oldest first, by server id. For one partner, or for all. A server without
    any is missing."""
    end = now().replace(second=0, microsecond=0)
    begin = end - timedelta(minutes=SHOWN_MINUTES - 1)
    query = (
        select(TransferMinute.server_id, TransferMinute.minute, func.sum(TransferMinute.bytes))
        .where(TransferMinute.server_id.in_(server_ids), TransferMinute.minute >= begin)
        .group_by(TransferMinute.server_id, TransferMinute.minute)
    )
    if partner_id is not None:
        query = query.where(TransferMinute.partner_id == partner_id)
    result: dict[str, list[int]] = defaultdict(lambda: [0] * SHOWN_MINUTES)
    for server_id, minute, count in db.session.execute(query):
        place = int((minute - begin).total_seconds() // 60)
        if 0 <= place < SHOWN_MINUTES:
            result[server_id][place] = int(count)
    return dict(result)


def with_current_rate(hour: list[int] | None, bytes_per_second: int) -> list[int]:
    """A server's last hour, None if nothing arrived. The minute that has just begun would always look like a drop, so
    the current rate extends it."""
    minutes = list(hour or [0] * SHOWN_MINUTES)
    minutes[-1] = max(minutes[-1], bytes_per_second * 60)
    return minutes
