"""Pages of the list of games: 50 at a time, with counts of all of them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import update

from app.accounts.partners import partner_named
from app.catalog.game_filters import GameFilter
from app.catalog.game_pages import GAME_ORDERS, MAX_TAGS, game_counts, tags_in_use
from app.data.database import announce, writing
from app.data.models.server import Replica, Server
from app.topics.names import partner_topic
from app.web.games.game_list import GAME_SORTS, GAMES_PER_PAGE, MAX_MARKS
from tests.app.web.conftest import HTMX, Visitor
from tests.app.web.reading import one_line
from tests.conftest import Cast
from tests.many_rows import Many, add_many

pytestmark = pytest.mark.both_databases  # counts, cursors and tags are SQL


@pytest.fixture
def many(cast: Cast) -> None:
    add_many(cast.starlight.partner_id, Many(games=120, builds=2, servers=4, entries=0, assets=0))


def slugs(page: str) -> list[str]:
    return re.findall(r'class="row-link" href="/games/([^"]+)"', page)


def link(page: str, name: str) -> str:
    found = re.search(rf'<a class="button" href="([^"]+)">{name}</a>', page)
    return found[1].replace("&amp;", "&") if found else ""


def test_every_game_is_on_one_page(owner: Visitor, many: None) -> None:
    found, address, pages = [], "/games", 0
    while address:
        page = owner.get(address).text
        assert "of 120 games" in page
        found += slugs(page)
        address, pages = link(page, "Next page"), pages + 1

    assert pages == 3
    assert found == [f"many-{number}" for number in range(120)]
    assert link(owner.get("/games").text, "First page") == ""
    assert link(page, "First page") == "/games"


def test_each_order_has_every_game_once_and_its_head_says_so(owner: Visitor, many: None) -> None:
    assert list(GAME_SORTS) == list(GAME_ORDERS)
    for sort in [""] + [sort for sort in GAME_SORTS if sort != next(iter(GAME_SORTS))]:
        found, address = [], f"/games?sort={sort}"
        while address:
            page = owner.get(address).text
            found += slugs(page)
            address = link(page, "Next page")
        assert sorted(found) == sorted(f"many-{number}" for number in range(120)), sort
    page = one_line(owner.get("/games?sort=-title&tag=Visual+Novel").text)
    assert 'aria-sort="descending"> <a id="sort-title" href="/games?sort=title&amp;tag=Visual+Novel"' in page
    assert 'href="/games?sort=updated&amp;tag=Visual+Novel"' not in page, "a head begins with its own first order"
    assert slugs(page)[0] == "many-99"


def test_pages_keep_the_filters(owner: Visitor, many: None) -> None:
    address = link(owner.get("/games?status=waiting&tag=Visual+Novel").text, "Next page")

    page = owner.get(address).text
    assert "status=waiting" in address
    assert len(slugs(page)) == GAMES_PER_PAGE
    assert re.search(r'aria-current="true">Waiting for a build <span class="count">119<', page)


def test_segments_count_the_games_of_all_pages(owner: Visitor, many: None) -> None:
    page = owner.get("/games").text
    counts = dict(re.findall(r">([^<>]+) <span class=\"count\">(\d+)<", page))

    assert counts == {"All": "120", "Live": "1", "Waiting for a build": "119", "Needs attention": "1"}
    assert slugs(owner.get("/games?status=attention").text) == ["many-0"]
    assert "<title>(1 failed) Games · Slipway</title>" in page


def test_the_title_names_a_state_of_a_game_on_another_page(owner: Visitor, many: None) -> None:
    page = owner.get(link(owner.get("/games").text, "Next page")).text

    assert "many-0" not in slugs(page)
    assert "<title>(1 failed) Games · Slipway</title>" in page


def test_the_live_parts_are_those_of_the_page(owner: Visitor, many: None) -> None:
    address = link(owner.get("/games").text, "Next page")
    page = owner.get(address).text

    query = address.removeprefix("/games").replace("&", "&amp;")
    assert f'"/catalog/parts{query}&amp;as_role=owner"' in page
    parts = owner.get(address.replace("/games", "/catalog/parts"), headers=HTMX).text
    assert slugs(parts) == slugs(page)


def test_an_unknown_cursor_is_refused(owner: Visitor, many: None) -> None:
    assert owner.get("/games?after=nonsense").status_code == 400


@pytest.mark.parametrize(
    ("phase", "attempt", "state"),
    [
        ("failed", 9, "failed"),
        ("failed", 1, "retrying"),
        ("downloading", 0, "downloading"),
        ("verifying", 0, "verifying"),
    ],
)
def test_each_game_counts_with_its_worst_state(
    app: Flask, cast: Cast, many: None, phase: str, attempt: int, state: str
) -> None:
    partner = partner_named(cast.starlight.name)
    with writing() as session:
        session.execute(update(Replica).values(phase="verifying", attempt=0))
        session.execute(update(Replica).where(Replica.server_id == "many-0001").values(phase=phase, attempt=attempt))
        announce(partner_topic(partner.id))

    found = game_counts(partner, GameFilter())
    assert found.worst == {state: 1}
    assert found.attention == (1 if state in {"failed", "retrying"} else 0)


def test_servers_without_contact_do_not_count(cast: Cast, many: None) -> None:
    partner = partner_named(cast.starlight.name)
    with writing() as session:
        server = session.get_one(Server, "many-0000")
        assert server.last_report_at is not None
        server.last_report_at -= timedelta(minutes=1)

    assert game_counts(partner, GameFilter()).attention == 0


def test_tags_to_choose_from_are_bounded_and_the_most_frequent(cast: Cast) -> None:
    partner = partner_named(cast.starlight.name)
    add_many(partner.id, Many(games=320, builds=0, servers=0, entries=0, assets=0))

    found = tags_in_use(partner_named(cast.starlight.name))
    assert len(found) == MAX_TAGS
    assert {"Visual Novel", *(f"Shelf {number}" for number in range(20))} <= set(found)
    assert found == sorted(found, key=str.casefold)


def test_rows_have_a_mark_per_server_only_for_a_few_servers(owner: Visitor, cast: Cast) -> None:
    """With 500 servers the marks of 50 games were 3.5 MB."""
    add_many(cast.starlight.partner_id, Many(games=60, builds=1, servers=MAX_MARKS + 1, entries=0, assets=0))

    page = owner.get("/games").text

    assert "One mark per server" not in page
    assert f"Failed on 1 of {MAX_MARKS + 4}" in page
    assert len(page) < 200_000
