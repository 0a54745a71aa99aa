"""What a page asks for first: one primary button, as large as the buttons beside it."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from app.data.extensions import db
from app.data.models.game import Game
from tests.app.web import asset_scenes, scenes
from tests.app.web.conftest import ONE_DATABASE, Visitor
from tests.conftest import Cast

GARDEN = "/games/garden-of-forking-paths"
PAGES = {
    "/games": "Register a game",
    "/games/new": "Register the game",
    GARDEN: "Release build 5",
    f"{GARDEN}/builds": "Release build 5",
    f"{GARDEN}/builds/5": "Release build 5",
    f"{GARDEN}/builds/5/release": "Release build 5 to 6 servers",
    f"{GARDEN}/builds/4/servers/srv-04": "Retry now",
    f"{GARDEN}/assets": "",
    f"{GARDEN}/components": "Finalize revision 2",
    f"{GARDEN}/components/new": "Add the component",
    f"{GARDEN}/revisions/2/finalization": "Finalize revision 2",
    f"{GARDEN}/details": "Save the details",
    f"{GARDEN}/activity": "",
    "/settings/partner": "Save",
    "/settings/members": "Create invitation",
    "/settings/keys": "Create a key",
    "/settings/keys/new": "Create the key",
    "/profile": "Save name",
}


@ONE_DATABASE
def test_a_page_has_at_most_one_primary_button(
    owner: Visitor, cast: Cast, six_servers: list[str], subtests: pytest.Subtests
) -> None:
    scenes.catalog(cast.starlight.partner_id)
    scenes.servers_report()
    garden_id = db.session.scalars(select(Game.id).where(Game.slug == GARDEN.rpartition("/")[2])).one()
    asset_scenes.forking_paths_images(garden_id)
    for path, expected in PAGES.items():
        with subtests.test(path=path):
            page = owner.get(path).text
            buttons = re.findall(r'<(?:a|button)[^>]*class="button primary[^>]*>(.*?)</(?:a|button)>', page, re.DOTALL)
            labels = [re.sub(r"<[^>]*>", "", label).strip() for label in buttons]
            assert labels == ([expected] if expected else [])
            assert not re.search(r'class="button[^"]*\blarge\b', page)
