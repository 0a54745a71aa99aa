"""The breadcrumb above a page: where it is, by the names that other places use."""

from __future__ import annotations

import pytest

from tests.app.web import scenes
from tests.app.web.conftest import ONE_DATABASE, Visitor
from tests.app.web.reading import breadcrumb
from tests.app.web.scenes import On, Sent
from tests.conftest import Cast

pytestmark = ONE_DATABASE
GAME = "/games/low-tide"
ABOVE = [("Games", "/games"), ("Low & Tide", GAME)]


@pytest.fixture
def game(cast: Cast) -> str:
    """A game with two builds, the first of them live and cached on srv-01; its id."""
    builds = [Sent(on=[On("srv-01")]), Sent(released=None)]
    found = scenes.add_game(cast.starlight.partner_id, "Low & Tide", "low-tide", builds)
    scenes.servers_report()
    return found


def test_pages_of_a_game_are_below_its_name_and_those_of_a_build_below_the_build(owner: Visitor, game: str) -> None:
    build = ("Build 2", f"{GAME}/builds/2")
    expected = {
        "": [ABOVE[0], ("Low & Tide", "")],
        "/builds": [*ABOVE, ("Builds", "")],
        "/builds/2": [*ABOVE, ("Build 2", "")],
        "/builds/2/changes": [*ABOVE, build, ("Changes", "")],
        "/builds/2/release": [*ABOVE, build, ("Release build 2", "")],
        "/builds/2/deletion": [*ABOVE, build, ("Delete build 2?", "")],
        "/builds/1/servers/srv-01": [*ABOVE, ("Build 1", f"{GAME}/builds/1"), ("srv-01", "")],
        "/assets": [*ABOVE, ("Images", "")],
        "/components": [*ABOVE, ("Components", "")],
        "/components/new": [*ABOVE, ("Components", f"{GAME}/components"), ("Add a component", "")],
        "/revisions": [*ABOVE, ("Components", f"{GAME}/components"), ("Revisions", "")],
        "/details": [*ABOVE, ("Details", "")],
        "/activity": [*ABOVE, ("Activity", "")],
    }
    assert {path: breadcrumb(owner.get(GAME + path).text) for path in expected} == expected
