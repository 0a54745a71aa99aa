"""Rejected archives above the list of builds: one line for each reason, until somebody dismisses them."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from app.accounts.actors import Actor
from app.accounts.audit_log import record
from app.data.database import announce, writing
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry, DismissedRefusal
from app.data.models.game import Game
from app.topics.names import game_topic
from tests.app.web import scenes
from tests.app.web.conftest import HTMX, Visitor
from tests.app.web.reading import afresh, plain
from tests.conftest import Cast

PAGE = "/games/low-tide"
OUTSIDE = "bin/game points outside the archive. Remove it, then send the archive again."
ZIP = "The file is zip. Repack it with tar czf."


@pytest.fixture
def game(cast: Cast) -> str:
    return scenes.add_game(cast.starlight.partner_id, "Low Tide", "low-tide", [scenes.Sent()])


def refuse(game_id: str, reason: str) -> int:
    """An archive is rejected for `reason`. Returns the id of its audit entry."""
    with writing() as session:
        game = session.get_one(Game, game_id)
        record(
            session,
            Actor("CI · pp_8fK2…x9Qd"),
            "build.refused",
            game.title,
            game=game,
            code="invalid_archive",
            reason=reason,
            bytes=3_000_000,
            file_name="low-tide.tar.gz",
        )
        announce(game_topic(game_id))
        session.flush()
        return session.scalars(select(AuditEntry.id).order_by(AuditEntry.id.desc()).limit(1)).one()


def lines(page: str) -> list[str]:
    """The summary of each line, in words."""
    found = re.findall(r'<li id="refused-\d+">.*?<summary.*?</summary>', page, re.DOTALL)
    return [re.sub(r" \d+ \w+, \d+:\d+ UTC", "", plain(line)).strip() for line in found]


def dismissal(entry: int) -> str:
    return f"{PAGE}/refusals/{entry}/dismissals"


def dismissed() -> dict[int, str]:
    afresh()
    return {row.entry_id: row.dismissed_by for row in db.session.scalars(select(DismissedRefusal))}


def test_a_refusal_is_one_line_with_details_to_open(owner: Visitor, game: str) -> None:
    refuse(game, OUTSIDE)
    for path in (PAGE, f"{PAGE}/builds"):
        page = owner.get(path).text
        assert lines(page) == ["Failed check: bin/game points outside the archive"], path
        opened = plain(page[page.index("</summary>", page.index('class="refusals')) :])
        assert opened.strip().startswith("Remove it, then send the archive again.")
        assert "low-tide.tar.gz, 2.9 MiB, sent by CI · pp_8fK2…x9Qd" in opened


def test_refusals_for_the_same_reason_are_shown_once(owner: Visitor, game: str) -> None:
    for reason in (OUTSIDE, ZIP, OUTSIDE, OUTSIDE):
        refuse(game, reason)
    expected = ["Failed check: bin/game points outside the archive 3 times", "Failed check: The file is zip"]
    assert lines(owner.get(PAGE).text) == expected


def test_one_is_dismissed_with_its_older_equals_and_the_log_says_by_whom(owner: Visitor, game: str) -> None:
    older, other, newest = (refuse(game, reason) for reason in (OUTSIDE, ZIP, OUTSIDE))
    unread = refuse(game, OUTSIDE)  # arrives after the page was read
    answer = owner.post(dismissal(newest), {"next": f"{PAGE}/builds"})
    assert (answer.status_code, answer.location) == (303, f"{PAGE}/builds")
    assert dismissed() == {older: "Owner", newest: "Owner"}
    assert lines(owner.get(PAGE).text) == [
        "Failed check: bin/game points outside the archive",
        "Failed check: The file is zip",
    ]
    activity = plain(owner.get(f"{PAGE}/activity").text)
    assert "Dismissed rejected archives of Low Tide 2 archives" in activity
    assert activity.count("bin/game points outside the archive") == 3  # entries are never deleted
    assert {older, other, newest, unread} <= set(db.session.scalars(select(AuditEntry.id)))


def test_all_are_dismissed_at_once(owner: Visitor, game: str) -> None:
    refuse(game, OUTSIDE)
    assert "Dismiss all" not in owner.get(PAGE).text
    newest = refuse(game, ZIP)
    assert "Dismiss all" in owner.get(PAGE).text
    answer = owner.post(dismissal(newest), {"all": "1"}, headers=HTMX)
    assert answer.status_code == 200
    assert 'id="builds"' in answer.text
    assert "Rejected archives" not in answer.text
    assert lines(owner.get(f"{PAGE}/builds").text) == []
    assert owner.post(dismissal(newest), {"all": "1"}).location == f"{PAGE}#builds"  # twice does nothing more
    assert len(db.session.scalars(select(AuditEntry).where(AuditEntry.action == "build.refusals_dismissed")).all()) == 1


def test_only_those_who_may_write_dismiss(owner: Visitor, viewer: Visitor, game: str) -> None:
    entry = refuse(game, OUTSIDE)
    assert "Dismiss" not in viewer.get(PAGE).text.partition('class="refusals')[2].partition("</ul>")[0]
    assert viewer.post(dismissal(entry)).status_code == 403
    assert dismissed() == {}


def test_what_is_no_refusal_of_the_game_is_not_found(owner: Visitor, cast: Cast, game: str) -> None:
    other = scenes.add_game(cast.starlight.partner_id, "High Tide", "high-tide")
    for entry in (refuse(other, OUTSIDE), 2**40, 0):
        assert owner.post(dismissal(entry)).status_code == 404, entry
    assert dismissed() == {}
