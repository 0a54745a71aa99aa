"""The audit log as a page."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select

from app.accounts.actors import Actor
from app.accounts.audit import audit_history
from app.accounts.audit.audit_history import PAGE_SIZE as PAGE_LENGTH
from app.accounts.audit.audit_history import HistoryEntry
from app.accounts.audit_log import record
from app.accounts.keys import create_key, revoke_key
from app.catalog.releasing import make_release
from app.data.database import writing
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.game import Game
from app.data.models.partner import Partner
from app.web.audit.audit_words import action_words, details
from tests.app.web import scenes
from tests.app.web.conftest import HTMX, Visitor
from tests.app.web.reading import one_line, plain
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


def test_a_key_is_named_with_its_prefix_below(owner: Visitor, cast: Cast, signed_in: Callable[[str], Visitor]) -> None:
    partner = db.session.get_one(Partner, cast.starlight.partner_id)
    key, _ = create_key(partner, "CI", ["upload"], MIRA, "Nightly <builds>")
    nameless, _ = create_key(partner, "CI", ["upload"], MIRA)
    other, _ = create_key(db.session.get_one(Partner, cast.moonbase.partner_id), "CI", ["upload"], MIRA, "Theirs")
    with writing() as session:
        for each in (key, nameless, other):
            by = Actor.of_key(each, "192.0.2.9")
            record(session, by, "build.deleted", "Low Tide, build 1", partner_id=cast.starlight.partner_id)
    hint = key.hint
    revoke_key(key, MIRA)
    page = owner.get(PAGE).text
    assert f"CI · Nightly <builds> {hint} from 192.0.2.9 Deleted Low Tide, build 1" in plain(page)
    assert f"CI · {nameless.hint} from 192.0.2.9 Deleted" in plain(page)
    assert f"CI · {other.hint} from 192.0.2.9 Deleted" in plain(page), "the names of other partners' keys are theirs"
    assert f"Created a key CI · Nightly <builds> {hint} · Scopes: upload" in what(page)
    assert f"Revoked a key CI · Nightly <builds> {hint}" in what(page)
    operator = signed_in(cast.operator).get("/operator/audit").text
    assert f"CI · Nightly <builds> {hint} from" in plain(operator)
    # It is found by its name and by its prefix, and the log of it names it too.
    for words in ("nightly", hint):
        assert "Deleted Low Tide, build 1" in what(owner.get(f"{PAGE}?q={words}").text), words
    links = re.findall(r'<a href="([^"]+)" title="Only what CI · Nightly', page)
    alone = owner.get(html.unescape(links[0])).text
    assert what(alone) == ["Deleted Low Tide, build 1"]
    assert "by “CI · Nightly <builds>”" in plain(alone)


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
    assert "No entries match “Games”. Clear the filter" in page


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
    assert f'href="{PAGE}?game=low-tide&amp;kind=builds"' in page
    assert owner.get(f"{PAGE}?game=nothing").status_code == 404
    assert stranger.get(f"{PAGE}?game=low-tide").status_code == 404


def test_pages_lead_to_the_oldest_and_back(owner: Visitor, cast: Cast) -> None:
    note(cast.starlight.partner_id, "key.created", "key", count=PAGE_LENGTH + 10)
    first = owner.get(f"{PAGE}?kind=keys").text
    assert len(what(first)) == PAGE_LENGTH
    assert "First page" not in first
    older = re.search(r'href="([^"]+)">Next page<', first)
    assert older
    second = owner.get(older[1].replace("&amp;", "&")).text
    assert what(second)[:10] == [f"Created a key key {index}" for index in range(10, 0, -1)]
    assert ">Next page<" not in second
    assert f'href="{PAGE}?kind=keys">First page<' in second
    assert not set(what(first)) & set(what(second)[:10])


def test_search_person_days_and_order_are_in_the_address(owner: Visitor, cast: Cast) -> None:
    partner_id = cast.starlight.partner_id
    note(partner_id, "key.created", "École", count=2)
    with writing() as session:
        session.scalars(select(AuditEntry).where(AuditEntry.subject == "École 1")).one().at = datetime(
            2026, 11, 14, 23, tzinfo=UTC
        )
        record(session, Actor("Noor"), "key.revoked", "École 3", partner_id=partner_id)

    found = owner.get(f"{PAGE}?q=a+key+ecole").text
    assert what(found) == ["Revoked a key École 3", "Created a key École 2", "Created a key École 1"]
    oldest = one_line(owner.get(f"{PAGE}?q=ecole&sort=at").text)
    assert what(oldest) == what(found)[::-1]
    assert f'aria-sort="ascending"> <a id="sort-at" href="{PAGE}?q=ecole" title="Newest first">When' in oldest
    noor = owner.get(f"{PAGE}?q=ecole&who=Noor").text
    assert what(noor) == ["Revoked a key École 3"]
    assert f'href="{PAGE}?q=ecole">by “Noor”' in noor
    assert f'<a href="{PAGE}?q=a+key+ecole&amp;who=Mira+Okafor" title="Only what Mira Okafor did">' in found
    day = owner.get(f"{PAGE}?from=2026-11-14&to=2026-11-14").text
    assert what(day) == ["Created a key École 1"]
    assert 'type="date" id="from" name="from" value="2026-11-14" max="9999-12-31"' in one_line(day)
    for nonsense in ("from=never", "to=2026-02-30", "to=9999-12-31"):
        assert what(owner.get(f"{PAGE}?{nonsense}").text) == what(owner.get(PAGE).text)
    nothing = plain(owner.get(f"{PAGE}?q=sorcery&to=2026-11-01").text)
    assert "No entries match “sorcery” and “To 2026-11-01”. Clear the filters" in nothing


def test_a_time_that_ends_now_is_in_the_address_unless_days_are(owner: Visitor, cast: Cast) -> None:
    hours = (1, 30, 24 * 8, 24 * 31)
    with writing() as session:
        for ago in reversed(hours):
            record(session, MIRA, "key.created", f"{ago} hours ago", partner_id=cast.starlight.partner_id)
            session.flush()
            entry = session.scalars(select(AuditEntry).where(AuditEntry.subject == f"{ago} hours ago")).one()
            entry.at = datetime.now(UTC) - timedelta(hours=ago)
    for last, shown in (("24h", 1), ("7d", 2), ("30d", 3), ("", 4), ("1y", 4)):
        page = owner.get(f"{PAGE}?q=hours&kind=keys&last={last}").text
        assert what(page) == [f"Created a key {ago} hours ago" for ago in hours[:shown]], last
    page = owner.get(f"{PAGE}?kind=keys&last=7d").text
    assert f'<a href="{PAGE}?kind=keys&amp;last=7d" aria-current="true">Last 7 days</a>' in page
    assert f'href="{PAGE}?kind=keys">Last 7 days<span class="vh">, remove' in page
    assert f'<a href="{PAGE}?kind=keys&amp;last=24h">Last 24 hours</a>' in page
    # Days replace the period, and a period the days.
    page = owner.get(f"{PAGE}?q=hours&kind=keys&last=24h&from=2026-01-01").text
    assert what(page)[-1] == "Created a key 744 hours ago"
    assert f'<a href="{PAGE}?kind=keys&amp;last=24h&amp;q=hours">Last 24 hours</a>' in page
    assert 'name="last"' not in page


def test_filters_are_folded_until_one_is_in_use(owner: Visitor, cast: Cast) -> None:
    scenes.add_game(cast.starlight.partner_id, "Low Tide", "low-tide")
    fold = re.compile(r'<details class="filter-fold"( open)?>.*?</details>', re.DOTALL)
    for page in (PAGE, "/games/low-tide/activity"):
        for query, is_open in (("", False), ("?q=key", False), ("?kind=builds", True), ("?from=2026-11-01", True)):
            found = fold.search(owner.get(page + query).text)
            assert found, page
            assert bool(found[1]) is is_open, query
            assert "Filters and order All Builds" in plain(found[0]) or "All Games Builds" in plain(found[0])
            for name in ("from", "to", "sort"):
                assert f'name="{name}"' in found[0]
            assert "Search who and what" not in found[0], "the search box is always there"


def test_releases_and_rollbacks_are_kinds(owner: Visitor, cast: Cast) -> None:
    builds = [scenes.Sent(released=None), scenes.Sent(released=None)]
    game_id = scenes.add_game(cast.starlight.partner_id, "Low Tide", "low-tide", builds)
    for number in (2, 1):
        make_release(db.session.get_one(Game, game_id), number, MIRA)
    back, out = "Rolled back to Low Tide, build 1 Build 2 was live before", "Released Low Tide, build 2"
    for page in (PAGE, "/games/low-tide/activity"):
        assert what(owner.get(f"{page}?kind=releases").text) == [back, out]
        rollbacks = owner.get(f"{page}?kind=rollbacks").text
        assert what(rollbacks) == [back]
        assert "Releases Only rollbacks" in plain(rollbacks), "the second is part of the first"
        assert what(owner.get(f"{page}?kind=builds&q=rolled+back").text) == [back]


def test_a_search_that_did_not_reach_the_end_says_so(
    owner: Visitor, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    note(cast.starlight.partner_id, "key.created", "key", count=20)
    monkeypatch.setattr(audit_history, "MAX_SEARCHED", 10)
    page = owner.get(f"{PAGE}?q=created+the+partner").text
    assert what(page) == []
    assert "10 entries were searched. The next page searches the entries after them." in plain(page)
    while "Created the partner" not in " ".join(what(page)):
        following = re.search(r'href="([^"]+)">Next page<', page)
        assert following, page
        page = owner.get(following[1].replace("&amp;", "&")).text


def test_a_games_log_has_the_same_filters(owner: Visitor, cast: Cast) -> None:
    game_id = scenes.add_game(cast.starlight.partner_id, "Low Tide", "low-tide")
    with writing() as session:
        game = session.get_one(Game, game_id)
        for action in ("build.ready", "asset.confirmed"):
            record(session, MIRA, action, action, game=game)
    page = owner.get("/games/low-tide/activity?kind=builds").text
    assert what(page) == ["Sent build.ready"]
    assert what(owner.get("/games/low-tide/activity?q=image").text) == ["Added the image asset.confirmed"]


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
        ("partner.quota_set", {"bytes": 2_000_000_000}, "1,953,125 KiB"),
        ("partner.quota_set", {"bytes": None}, "No limit"),
        ("key.rolled", {"new": "pp_8fK2…x9Qd"}, "New key: pp_8fK2…x9Qd"),
        ("game.updated", {"changed": ["renpy_dir", "title"]}, "Changed: renpy dir, title"),
        ("game.created", {"slug": "x"}, ""),
    ],
)
def test_the_second_line_says_what_else_is_worth_knowing(action: str, details_: dict[str, Any], said: str) -> None:
    entry = AuditEntry(id=1, at=datetime.now(UTC), actor="Mira", action=action, subject="x", details=details_)
    assert details(HistoryEntry.of(entry, None, {})).replace("\u00a0", " ") == said


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
