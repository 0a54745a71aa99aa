"""Rollbacks in the audit log: of today, and of entries that do not have the number of the build before."""

from __future__ import annotations

import pytest

from app.accounts.audit import audit_history
from app.accounts.audit.audit_history import HistoryFilter, history
from app.accounts.audit.rollbacks import RELEASED, ROLLED_BACK, build_number
from app.accounts.audit_log import record
from app.catalog.games import delete_game
from app.catalog.releasing import make_release
from app.data.database import writing
from app.data.extensions import db
from app.data.models.game import Game
from tests.app.web.scenes import Sent, add_game
from tests.conftest import CAST, Cast

pytestmark = pytest.mark.both_databases

WORDS = {RELEASED: "Released", ROLLED_BACK: "Rolled back to"}


@pytest.fixture
def game(cast: Cast) -> Game:
    """A game with three builds, of which none was released."""
    builds = [Sent(released=None) for _ in range(3)]
    return db.session.get_one(Game, add_game(cast.starlight.partner_id, "Low Tide, build 9", "low-tide", builds))


def record_as_before(game: Game, *numbers: int) -> None:
    """Releases as they were recorded without the number of the build before."""
    with writing() as session:
        for number in numbers:
            record(session, CAST, RELEASED, f"{game.title}, build {number}", game=game)
            session.flush()


def read(**wanted: object) -> list[tuple[str, int | None, int | None]]:
    """(action, build, the build that was live before) of releases and rollbacks, oldest first."""
    found = history(HistoryFilter(**{"action": RELEASED, "oldest_first": True} | wanted), WORDS.__getitem__)  # type: ignore[arg-type]
    return [(entry.action, build_number(entry.subject), entry.replaced) for entry in found.entries]


def test_a_release_of_an_older_build_is_a_rollback(game: Game) -> None:
    for number in (1, 3, 1, 2):
        make_release(game, number, CAST)
    everything = [(RELEASED, 1, None), (RELEASED, 3, 1), (ROLLED_BACK, 1, 3), (RELEASED, 2, 1)]
    assert read() == everything
    assert read(action=ROLLED_BACK) == [(ROLLED_BACK, 1, 3)]
    assert read(text="rolled back") == [(ROLLED_BACK, 1, 3)]
    assert [number for _, number, _ in read(text="released")] == [1, 3, 2]
    delete_game(game, CAST)
    assert read() == everything, "the log does not need the game"


def test_older_entries_are_told_apart_by_the_release_before_them(game: Game, cast: Cast) -> None:
    other = db.session.get_one(Game, add_game(cast.starlight.partner_id, "Sea of Rain", "sea-of-rain"))
    record_as_before(game, 1, 3)
    record_as_before(other, 8)
    record_as_before(game, 2)
    make_release(game, 3, CAST)  # no build is live in this scene, so that this is the first release
    assert read(game=game) == [(RELEASED, 1, None), (RELEASED, 3, 1), (ROLLED_BACK, 2, 3), (RELEASED, 3, None)]
    assert read(action=ROLLED_BACK) == [(ROLLED_BACK, 2, 3)]
    [since] = read(action=ROLLED_BACK, oldest_first=False)
    assert since == (ROLLED_BACK, 2, 3)


def test_a_search_for_rollbacks_looks_at_a_limited_number_of_releases(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_history, "MAX_SEARCHED", 2)
    record_as_before(game, 3, 1, 2, 3)
    first = history(HistoryFilter(action=ROLLED_BACK))
    assert (first.entries, first.searched) == ([], 2)
    second = history(HistoryFilter(action=ROLLED_BACK, after=str(first.next_cursor)))
    assert [entry.replaced for entry in second.entries] == [3]
