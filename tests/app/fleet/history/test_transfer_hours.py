"""Bytes per hour and day: added up from minutes, each byte once, and kept after its game is gone."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import delete, func, select
from sqlalchemy.orm import InstrumentedAttribute

from app.data.database import writing
from app.data.extensions import db
from app.data.models.game import Game
from app.data.models.server import TransferHour, TransferMinute
from app.fleet.history import transfer_hours
from app.fleet.history.transfer_hours import DAY, HOUR, add_up_minutes, transfer_history
from app.fleet.transfers import RETENTION, OwnedGame, record_arrived
from app.maintenance.build_sweep import sweep
from tests.app.fleet.acting import new_game
from tests.app.fleet.counting import statements
from tests.conftest import Cast

AT = datetime(2026, 3, 14, 15, 20, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer_hours, "now", lambda: AT)


@pytest.fixture
def owned(cast: Cast, game: Game) -> OwnedGame:
    return OwnedGame(game.partner_id, game.id)


def arrived(owned: OwnedGame, *amounts: tuple[timedelta, int], server_id: str = "srv-01") -> None:
    with writing() as session:
        for ago, count in amounts:
            record_arrived(session, server_id, {owned: count}, AT - ago)


def add_up(*, killed: bool = False) -> None:
    with writing() as session:
        add_up_minutes(session)
        if killed:
            raise RuntimeError("killed")


def stored(column: InstrumentedAttribute[int]) -> int:
    """The sum of a table's bytes."""
    db.session.rollback()
    return int(db.session.scalar(select(func.sum(column))) or 0)


def hours(game_id: str | None = None) -> dict[str, int]:
    """Bytes by hour, where there are any: {"14 15h": 7}."""
    db.session.rollback()
    return {f"{each.begin:%d %H}h": each.bytes for each in transfer_history(game_id).hours if each.bytes}


def test_old_minutes_move_to_their_hours_and_no_byte_is_lost(owned: OwnedGame) -> None:
    arrived(
        owned, (MINUTE, 1), (RETENTION - MINUTE, 2), (RETENTION + MINUTE, 4), (5 * HOUR, 8), (5 * HOUR + MINUTE, 16)
    )
    arrived(owned, (5 * HOUR, 32), server_id="srv-02")
    before = transfer_history(owned.game_id)

    add_up()

    assert (stored(TransferMinute.bytes), stored(TransferHour.bytes)) == (3, 60)
    assert transfer_history(owned.game_id) == before
    assert hours(owned.game_id) == {"14 15h": 1, "14 12h": 6, "14 10h": 56}
    add_up()
    assert transfer_history(owned.game_id) == before


def test_an_hour_that_was_added_up_in_part_gets_the_rest_later(
    owned: OwnedGame, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived(owned, (RETENTION + MINUTE, 4), (RETENTION - MINUTE, 8))
    add_up()
    assert (stored(TransferMinute.bytes), stored(TransferHour.bytes)) == (8, 4)
    monkeypatch.setattr(transfer_hours, "now", lambda: AT + HOUR)
    add_up()
    assert hours(owned.game_id) == {"14 12h": 12}


def test_a_sweep_that_is_killed_changes_nothing(owned: OwnedGame) -> None:
    arrived(owned, (5 * HOUR, 8), (7 * HOUR, 16))

    with pytest.raises(RuntimeError, match="killed"):
        add_up(killed=True)

    assert (stored(TransferMinute.bytes), stored(TransferHour.bytes)) == (24, 0)


def test_two_sweeps_at_once_count_each_byte_once(app: Flask, owned: OwnedGame) -> None:
    arrived(owned, *((5 * HOUR + number * MINUTE, 10) for number in range(200)))
    db.session.remove()
    both = threading.Barrier(2)

    def run() -> None:
        with app.app_context():
            both.wait(60)
            add_up()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert (stored(TransferMinute.bytes), stored(TransferHour.bytes)) == (0, 2000)


def test_the_sweep_adds_up(owned: OwnedGame) -> None:
    arrived(owned, (5 * HOUR, 8))
    sweep()
    assert (stored(TransferMinute.bytes), stored(TransferHour.bytes)) == (0, 8)


def test_a_game_has_its_own_bytes_and_all_together_include_deleted_games(cast: Cast, owned: OwnedGame) -> None:
    other = new_game(cast.moonbase.partner_id)
    theirs = OwnedGame(other.partner_id, other.id)
    arrived(owned, (MINUTE, 1), (5 * HOUR, 2))
    arrived(theirs, (MINUTE, 10), (5 * HOUR, 20))
    add_up()
    with writing() as session:
        session.execute(delete(Game).where(Game.id == theirs.game_id))

    assert hours(owned.game_id) == {"14 15h": 1, "14 10h": 2}
    assert hours() == {"14 15h": 11, "14 10h": 22}


def test_hours_and_days_are_whole_rows_that_end_now(owned: OwnedGame) -> None:
    arrived(owned, (MINUTE, 1), (47 * HOUR, 2), (48 * HOUR, 4), (29 * DAY, 8), (30 * DAY, 16))

    for _ in range(2):
        found = transfer_history()
        assert [len(found.hours), len(found.days)] == [48, 30]
        assert [(each.begin, each.bytes) for each in (found.hours[0], found.hours[-1])] == [
            (datetime(2026, 3, 12, 16, tzinfo=UTC), 2),
            (datetime(2026, 3, 14, 15, tzinfo=UTC), 1),
        ]
        assert [(each.begin, each.bytes) for each in found.days if each.bytes] == [
            (datetime(2026, 2, 13, tzinfo=UTC), 8),
            (datetime(2026, 3, 12, tzinfo=UTC), 6),
            (datetime(2026, 3, 14, tzinfo=UTC), 1),
        ]
        add_up()


def test_hours_are_kept_for_ninety_days(owned: OwnedGame) -> None:
    arrived(owned, (89 * DAY, 1), (91 * DAY, 2))
    add_up()
    assert stored(TransferHour.bytes) == 1


def test_a_history_takes_two_queries(owned: OwnedGame) -> None:
    arrived(owned, *((number * HOUR, 1) for number in range(40)))
    add_up()
    with statements() as sent:
        transfer_history(owned.game_id)
    assert sent.queries == 2
