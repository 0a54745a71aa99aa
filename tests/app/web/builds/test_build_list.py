"""The live list of a game's builds: search, filter, order and page are in its address."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from sqlalchemy import select

from app.catalog.build_filters import BUILD_ORDERS, BUILD_STATUSES
from app.data.database import writing
from app.data.models.game import Build
from app.web.builds.build_rows import BUILD_SORTS
from app.web.builds.live_build_list import BUILD_FILTERS
from tests.app.web import scenes
from tests.app.web.builds.test_refusals import OUTSIDE, ZIP, dismissal, lines, refuse
from tests.app.web.conftest import HTMX, ONE_DATABASE, Visitor
from tests.app.web.reading import one_line, plain, rows
from tests.app.web.scenes import Sent
from tests.conftest import Cast
from tests.many_rows import SLUG, Many, add_many

pytestmark = ONE_DATABASE

GARDEN = "/games/garden-of-forking-paths"
PAGE = f"{GARDEN}/builds"


@pytest.fixture
def garden(cast: Cast, six_servers: list[str]) -> str:
    game_id = scenes.forking_paths(cast.starlight.partner_id)
    scenes.servers_report(silent=["srv-06"])
    return game_id


def numbers(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'<tr role="row" id="b(\d+)"', page)]


def head(page: str, label: str) -> tuple[str, str]:
    """(direction, address) of the head of a column that sorts."""
    found = re.search(
        rf'<th role="columnheader"[^>]*?(?:aria-sort="(\w+)")?>\s*<a [^>]*href="([^"]*)"[^>]*>{label}', page
    )
    assert found, page
    return found[1] or "", found[2].replace("&amp;", "&")


def test_the_page_offers_what_the_domain_has(cast: Cast) -> None:
    assert set(BUILD_SORTS) == set(BUILD_ORDERS)
    assert next(iter(BUILD_SORTS)) == next(iter(BUILD_ORDERS))
    assert set(BUILD_FILTERS) == {"", *BUILD_STATUSES}


def test_a_head_sorts_the_list_and_says_so(owner: Visitor, garden: str) -> None:
    first = one_line(owner.get(PAGE).text)
    assert head(first, "Build") == ("descending", f"{PAGE}?sort=number")
    by_size = one_line(owner.get(head(first, "Packed")[1]).text)
    assert head(by_size, "Build") == ("", PAGE)
    assert head(by_size, "Packed") == ("descending", f"{PAGE}?sort=size")
    assert "5, largest first" in plain(by_size)
    reverse = one_line(owner.get(f"{PAGE}?sort=size").text)
    assert numbers(reverse) == numbers(by_size)[::-1]
    assert head(reverse, "Packed") == ("ascending", f"{PAGE}?sort=-size")
    assert '<option value="size" selected>' in reverse, "narrow screens have a select instead"


def test_search_and_status_narrow_the_list_and_stay_in_its_links(owner: Visitor, garden: str) -> None:
    page = owner.get(f"{PAGE}?q=okafor&sort=sender").text
    assert numbers(page) == [4]
    assert 'value="okafor"' in page
    assert "All 1 Released 1 Not released yet 0 With warnings 0" in plain(page)
    assert f'href="{PAGE}?q=okafor&amp;sort=sender&amp;status=released"' in page
    assert numbers(owner.get(f"{PAGE}?status=unreleased").text) == [5, 2]
    assert numbers(owner.get(f"{PAGE}?status=sorcery").text) == [5, 4, 3, 2, 1]


def test_an_empty_result_names_its_filters_and_clears_them(owner: Visitor, garden: str) -> None:
    page = owner.get(f"{PAGE}?q=sorcery&status=warnings").text
    assert "No builds match “sorcery” and “With warnings”. Clear the filters" in plain(page)
    assert f'<a href="{PAGE}">Clear the filters</a>' in page
    assert f'<a class="tag active" href="{PAGE}?q=sorcery">With warnings' in one_line(page)


def test_pages_have_every_build_once(owner: Visitor, cast: Cast) -> None:
    add_many(cast.starlight.partner_id, Many(games=1, builds=120, servers=1, entries=0, assets=0))
    for query in ("", "?sort=sender", "?q=CI&sort=size"):
        found: list[int] = []
        address = f"/games/{SLUG}/builds{query}"
        while address:
            page = owner.get(address).text
            found += numbers(page)
            following = re.search(r'href="([^"]+)">Next page<', page)
            address = following[1].replace("&amp;", "&") if following else ""
        assert sorted(found) == list(range(1, 121))
        assert len(found) == 120
        assert "20 of 120" in plain(page)
        assert f'href="/games/{SLUG}/builds{query.replace("?q=CI&", "?q=CI&amp;")}">First page<' in page
    assert owner.get(f"/games/{SLUG}/builds?after=sorcery").status_code == 400
    assert owner.get(f"/games/{SLUG}/builds/live?after=sorcery").status_code == 400


def test_new_builds_stream_into_the_list_of_the_address(owner: Visitor, garden: str) -> None:
    query = "?q=okafor&sort=number"
    page = owner.get(f"{PAGE}{query}").text
    assert f'sse-connect="{PAGE}/live{query.replace("&", "&amp;")}&amp;as_role=owner"' in page
    assert f'data-poll="{PAGE}/parts{query.replace("&", "&amp;")}&amp;as_role=owner"' in page
    before = owner.get(f"{PAGE}/parts{query}", headers=HTMX)
    scenes.send(garden, Sent(sent_by="Mira Okafor"))
    scenes.send(garden, Sent(sent_by="Jonas Lindqvist"))
    after = owner.get(f"{PAGE}/parts{query}", headers=HTMX | {"If-None-Match": before.headers["ETag"]})
    shown = re.findall(r'id="b(\d+)"', after.text)
    assert shown == ["4", "6"]
    stream = owner.get(f"{PAGE}/live{query}", buffered=False)
    events = iter(stream.iter_encoded())
    next(events)
    assert re.findall(r'id="b(\d+)"', next(events).decode()) == ["4", "6"]
    stream.close()


def test_actions_come_back_to_the_list_that_they_were_on(owner: Visitor, garden: str) -> None:
    here = f"{PAGE}?q=5&status=unreleased"
    page = one_line(owner.get(here).text)
    question = f"{GARDEN}/builds/5/release?next={quote(here)}"
    assert f'href="{question.replace("&", "&amp;")}"' in page
    asked = owner.get(question).text
    assert f'<input type="hidden" name="next" value="{here.replace("&", "&amp;")}">' in asked
    live = re.search(r'name="live" type="hidden" value="(\d*)"', asked)
    assert live
    answer = owner.post(f"{GARDEN}/builds/5/release", {"live": live[1], "next": here})
    assert (answer.status_code, answer.location) == (303, here)
    outside = {"live": "5", "next": "https://evil.example/"}
    assert owner.post(f"{GARDEN}/builds/4/release", outside).location == GARDEN

    policy = re.search(r'<form class="form" method="post" action="([^"]+)"', page)
    assert policy
    assert owner.post(policy[1].replace("&amp;", "&"), {"keep_builds": "7"}).location == here


def test_a_dismissed_refusal_comes_back_to_the_list(owner: Visitor, cast: Cast) -> None:
    game_id = scenes.add_game(cast.starlight.partner_id, "Low Tide", "low-tide", [Sent()])
    refuse(game_id, ZIP)
    entry = refuse(game_id, OUTSIDE)
    here = "/games/low-tide/builds?q=bin&sort=number"
    page = owner.get(here).text
    assert lines(page) == ["Failed check: bin/game points outside the archive"], "the search finds refusals too"
    assert f'<input type="hidden" name="next" value="{here.replace("&", "&amp;")}">' in page
    assert owner.post(dismissal(entry), {"next": here}).location == here
    assert lines(owner.get("/games/low-tide/builds?sort=size").text) == ["Failed check: The file is zip"]
    assert lines(owner.get("/games/low-tide/builds?status=released").text) == []


def test_the_live_build_is_no_update_from_itself(owner: Visitor, garden: str) -> None:
    live = next(row for row in rows(owner.get(PAGE).text) if row.startswith("Build 4 "))
    assert "6.7 GiB — Cached on 1 of 6" in live


def test_words_after_the_state_have_no_dot_of_their_own(owner: Visitor, garden: str) -> None:
    """The dot is drawn between them where they share a line. On narrow screens it would begin a line."""
    with writing() as session:
        session.scalars(select(Build).where(Build.game_id == garden, Build.number == 5)).one().note = "For the demo"
    row = next(row for row in rows(owner.get(PAGE).text) if row.startswith("Build 5 "))
    assert "Ready For the demo" in row
