"""The audit log as a page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from app.accounts.actors import Actor
from app.accounts.audit_history import PAGE_SIZE as PAGE_LENGTH
from app.accounts.audit_log import record
from app.data.database import writing
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.partner import Partner
from app.web.settings.audit_words import action_words, details
from tests.app.web import scenes
from tests.app.web.conftest import HTMX, Visitor
from tests.app.web.reading import plain
from tests.conftest import Cast

PAGE = "/settings/activity"
MIRA = Actor("Mira Okafor", "192.0.2.7")


def note(partner_id: str, action: str, subject: str, count: int = 1, **details: Any) -> None:
    with writing() as session:
        for index in range(count):
            record(
                session,
                MIRA,
                action,
                f"{subject} {index + 1}" if count > 1 else subject,
                partner_id=partner_id,
                **details,
            )


def what(page: str) -> list[str]:
    """The "What" of each row."""
    return [plain(cell).strip() for cell in re.findall(r'<td role="cell" class="what">(.*?)</td>', page, re.DOTALL)]


def test_a_row_says_when_who_from_where_and_what(owner: Visitor, cast: Cast) -> None:
    note(cast.starlight.partner_id, "key.created", "CI · pp_8fK2…x9Qd", scopes=["read", "upload"])
    page = owner.get(PAGE).text
    assert what(page)[0] == "Created a key CI · pp_8fK2…x9Qd Scopes: read, upload"
    assert re.search(r"UTC Mira Okafor from 192\.0\.2\.7 Created a key", plain(page))


def test_what_members_do_is_there_at_once_with_their_address(owner: Visitor) -> None:
    owner.post("/settings/partner", {"name": "Starlight Games"})
    assert "Owner from 127.0.0.1 Renamed the partner Starlight Games" in plain(owner.get(PAGE).text)


def test_kinds_are_in_the_address(owner: Visitor, cast: Cast) -> None:
    note(cast.starlight.partner_id, "key.revoked", "CI")
    note(cast.starlight.partner_id, "member.removed", "Sam")
    note(cast.starlight.partner_id, "build.refused", "Low Tide", reason="bin/game points outside the archive")
    for kind, newest in (
        ("keys", "Revoked a key CI"),
        ("members", "Removed Sam"),
        ("builds", "Rejected Low Tide bin/game points outside the archive"),
    ):
        page = owner.get(f"{PAGE}?kind={kind}").text
        assert what(page)[0] == newest
        assert re.search(rf'<a href="{PAGE}\?kind={kind}" aria-current="true">', page)


def test_nothing_of_a_kind_is_not_the_same_as_nothing(owner: Visitor, cast: Cast) -> None:
    page = plain(owner.get(f"{PAGE}?kind=games").text)
    assert "No such entries yet. Clear the filter" in page


def test_an_unknown_kind_is_all(owner: Visitor, cast: Cast) -> None:
    assert what(owner.get(f"{PAGE}?kind=sorcery").text) == what(owner.get(PAGE).text)


def test_a_game_has_its_own_story(owner: Visitor, stranger: Visitor, cast: Cast) -> None:
    game_id = scenes.add_game(cast.starlight.partner_id, "Low Tide", "low-tide")
    with writing() as session:
        entry = AuditEntry(
            actor="CI", action="build.ready", subject="Low Tide, build 1", partner_id=cast.starlight.partner_id,
            game_id=game_id, details={"size": 640_000_000},
        )  # fmt: skip
        session.add(entry)
    page = owner.get(f"{PAGE}?game=low-tide").text
    assert what(page) == ["Sent Low Tide, build 1 610 MiB"]
    assert '<option value="low-tide" selected>Low Tide</option>' in page
    assert f'href="{PAGE}?kind=builds&amp;game=low-tide"' in page
    assert owner.get(f"{PAGE}?game=nothing").status_code == 404
    assert stranger.get(f"{PAGE}?game=low-tide").status_code == 404


def test_pages_lead_to_the_oldest_and_back(owner: Visitor, cast: Cast) -> None:
    note(cast.starlight.partner_id, "key.created", "key", count=PAGE_LENGTH + 10)
    first = owner.get(f"{PAGE}?kind=keys").text
    assert len(what(first)) == PAGE_LENGTH
    assert "Newest" not in first
    older = re.search(r'href="([^"]+)">Older<', first)
    assert older
    second = owner.get(older[1].replace("&amp;", "&")).text
    assert what(second)[:10] == [f"Created a key key {index}" for index in range(10, 0, -1)]
    assert ">Older<" not in second
    assert f'href="{PAGE}?kind=keys">Newest<' in second
    assert not set(what(first)) & set(what(second)[:10])


def test_words_that_look_like_markup_are_words(owner: Visitor, cast: Cast) -> None:
    note(cast.starlight.partner_id, "app.created", "<script>alert(1)</script>")
    assert "<script>alert" not in owner.get(PAGE).text


def test_a_fragment_request_gets_the_same_page(owner: Visitor) -> None:
    assert "<h1>Activity</h1>" in owner.get(PAGE, headers=HTMX).text


def test_a_viewer_sees_it_too(viewer: Visitor) -> None:
    assert "Created the partner" in plain(viewer.get(PAGE).text)


@pytest.mark.parametrize(
    ("action", "details_", "said"),
    [
        ("partner.quota_set", {"bytes": 2_000_000_000}, "1.9 GiB"),
        ("partner.quota_set", {"bytes": None}, "No limit"),
        ("key.rolled", {"new": "pp_8fK2…x9Qd"}, "New key: pp_8fK2…x9Qd"),
        ("game.updated", {"changed": ["renpy_dir", "title"]}, "Changed: renpy dir, title"),
        ("game.created", {"slug": "x"}, ""),
    ],
)
def test_the_second_line_says_what_else_is_worth_knowing(action: str, details_: dict[str, Any], said: str) -> None:
    assert details(AuditEntry(action=action, details=details_)).replace("\u00a0", " ") == said


def test_an_action_without_words_of_its_own_can_still_be_read() -> None:
    assert action_words("asset.variants_made") == "Asset variants made"


def test_the_number_of_queries_does_not_grow_with_the_entries(app: Flask, owner: Visitor, cast: Cast) -> None:
    def queries() -> int:
        count = 0

        def counted(*_: object) -> None:
            nonlocal count
            count += 1

        event.listen(db.engine, "before_cursor_execute", counted)
        owner.get(PAGE)
        event.remove(db.engine, "before_cursor_execute", counted)
        return count

    few = queries()
    note(cast.starlight.partner_id, "key.created", "key", count=40)
    assert db.session.get_one(Partner, cast.starlight.partner_id)
    assert queries() == few
