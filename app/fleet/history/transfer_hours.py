"""Bytes per hour and per day that arrived on all servers: of one game, or of all.

Reports write minutes (app/fleet/transfers.py). A sweep adds minutes that are some hours old to their hours and deletes
them in the same transaction, so that each byte is counted once. A read adds both up (docs/decisions/0118).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.data.database import insert_on_conflict
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.server import TransferHour, TransferMinute
from app.fleet import transfers

RETENTION = timedelta(days=90)
SHOWN_HOURS, SHOWN_DAYS = 48, 30
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class Transferred:
    """Bytes that arrived within one hour or one UTC day, which begins at `begin`."""

    begin: datetime
    bytes: int


@dataclass(frozen=True)
class TransferHistory:
    """The last SHOWN_HOURS hours and SHOWN_DAYS days, oldest first. The last of each has not ended yet."""

    hours: list[Transferred]
    days: list[Transferred]


def transfer_history(game_id: str | None = None) -> TransferHistory:
    """Of one game, or of all games on all servers. Two queries."""
    at = now()
    this_hour, today = _hour_of(at), _day_of(at)
    first_day = today - (SHOWN_DAYS - 1) * DAY
    by_hour = _by_hour(first_day, game_id)
    by_day = Counter[datetime]()
    for hour, count in by_hour.items():
        by_day[_day_of(hour)] += count
    hours = [this_hour - ago * HOUR for ago in reversed(range(SHOWN_HOURS))]
    days = [first_day + number * DAY for number in range(SHOWN_DAYS)]
    return TransferHistory(
        hours=[Transferred(hour, by_hour[hour]) for hour in hours],
        days=[Transferred(day, by_day[day]) for day in days],
    )


def add_up_minutes(session: Session) -> None:
    """Move minutes that are old enough to their hours, and delete hours after RETENTION. Inside writing().

    The statement that deletes the minutes returns them: of two sweeps at once, only one gets each row."""
    before = now() - transfers.RETENTION
    oldest = select(func.min(TransferMinute.minute)).where(TransferMinute.minute < before)
    while (minute := session.scalar(oldest)) is not None:
        hour = _hour_of(minute)
        moved = (
            delete(TransferMinute)
            .where(TransferMinute.minute < min(hour + HOUR, before))
            .returning(TransferMinute.game_id, TransferMinute.bytes)
        )
        sums = Counter[str]()
        for game_id, count in session.execute(moved, execution_options={"synchronize_session": False}):
            sums[game_id] += count
        _add(session, hour, sums)
    session.execute(delete(TransferHour).where(TransferHour.hour < now() - RETENTION))


def _add(session: Session, hour: datetime, sums: Mapping[str, int]) -> None:
    if not sums:
        return
    rows = [{"hour": hour, "game_id": game_id, "bytes": count} for game_id, count in sorted(sums.items())]
    insert = insert_on_conflict(session, TransferHour)
    added = TransferHour.bytes + insert.excluded.bytes
    statement = insert.on_conflict_do_update(index_elements=["hour", "game_id"], set_={"bytes": added})
    session.connection().execute(statement, rows)


def _by_hour(begin: datetime, game_id: str | None) -> Counter[datetime]:
    hours = select(TransferHour.hour, func.sum(TransferHour.bytes)).where(TransferHour.hour >= begin)
    minutes = select(TransferMinute.minute, func.sum(TransferMinute.bytes)).where(TransferMinute.minute >= begin)
    if game_id is not None:
        hours = hours.where(TransferHour.game_id == game_id)
        minutes = minutes.where(TransferMinute.game_id == game_id)
    found = Counter[datetime]()
    for hour, count in db.session.execute(hours.group_by(TransferHour.hour)):
        found[hour] += int(count)
    for minute, count in db.session.execute(minutes.group_by(TransferMinute.minute)):
        found[_hour_of(minute)] += int(count)
    return found


def _hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _day_of(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)
