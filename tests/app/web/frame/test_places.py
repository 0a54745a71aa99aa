"""Whatever is swapped into a page has its place there: every hx-target, and every id of an out-of-band part."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import select

from app.data.extensions import db
from app.data.models.game import Game
from tests.app.web import asset_scenes, scenes
from tests.app.web.conftest import HTMX, Visitor
from tests.app.web.frame.test_security_headers import lint
from tests.conftest import Cast

pytestmark = pytest.mark.slow

START = ("/games", "/games/new", "/games?q=zzz", "/games/moth-season", "/servers", "/settings")


@pytest.fixture
def crawled(cast: Cast, six_servers: list[str], owner: Visitor) -> dict[str, str]:
    """Every page that links lead to, by its address."""
    scenes.catalog(cast.starlight.partner_id)
    garden = select(Game.id).where(Game.slug == "garden-of-forking-paths")
    asset_scenes.one_of_each(db.session.scalars(garden).one())
    scenes.servers_report(silent=["srv-06"])
    found: dict[str, str] = {}
    seen: set[str] = set()
    waiting = list(START)
    while waiting:
        path = waiting.pop()
        if path in seen or len(found) > 120:
            continue
        seen |= {path, path.split("?")[0]}
        answer = owner.get(path, follow_redirects=True)
        if answer.mimetype != "text/html":
            continue
        found[path] = answer.text
        waiting += [
            link for link in links(answer.text) if link.split("?")[0] not in {other.split("?")[0] for other in found}
        ]
    return found


def links(page: str) -> Iterator[str]:
    """Of two games that differ in everything, and not of all eight, which have the same pages."""
    for href in re.findall(r'<a[^>]* href="(/[^"#]*)', page):
        if href.endswith("/original"):  # leads to storage
            continue
        other_game = re.match(r"/games/(?!new\b|garden-of-forking-paths\b|moth-season\b)[^?]", href)
        if not other_game and not href.startswith(("/api/", "/static/", "/healthz", "/uploads/")):
            yield href.replace("&amp;", "&")


@pytest.mark.both_databases
def test_what_is_swapped_into_a_page_has_its_place_there(owner: Visitor, crawled: dict[str, str]) -> None:
    the_crawl_went_everywhere(crawled)
    for path, page in crawled.items():
        found = lint(page)
        for target in re.findall(r'hx-(?:target|select|include|indicator)="#([^"]+)"', page):
            assert target in found.ids, (path, target)
    asked = 0
    for path, page in crawled.items():
        for poll in re.findall(r'data-poll="([^"]+)"', page):
            fragment = owner.get(poll.replace("&amp;", "&"), headers=HTMX).text
            parts = re.findall(r'hx-swap-oob="\w+" id="([^"]+)"', fragment)
            assert parts, (path, poll)
            assert set(parts) <= set(lint(page).ids), (path, poll)
            asked += 1
    assert asked >= 5


def the_crawl_went_everywhere(crawled: dict[str, str]) -> None:
    for path in ("/games/garden-of-forking-paths/details", "/settings/keys", "/servers", "/games/new"):
        assert path in crawled
    for kind in ("assets", "components"):
        pages = [path for path in crawled if re.match(rf"/games/garden-of-forking-paths/{kind}/\w+", path)]
        assert len(pages) >= 2, kind
