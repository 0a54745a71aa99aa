"""Operators see the covers of games where pages list games."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from app.images.game_pictures import pick_cover
from tests.app.web import asset_scenes, scenes
from tests.app.web.conftest import ONE_DATABASE, Visitor
from tests.app.web.scenes import On, Sent
from tests.conftest import CAST, Cast

pytestmark = ONE_DATABASE

THUMB = re.compile(r'<span class="picture thumb">\s*<img src="/uploads/sh/[^"]+"[^>]*?alt=""\s+loading="lazy"')
NO_THUMB = '<span class="thumb" aria-hidden="true"></span>'


@pytest.fixture
def operator(cast: Cast, signed_in: Callable[[str], Visitor]) -> Visitor:
    return signed_in(cast.operator)


def test_games_are_listed_with_their_covers(cast: Cast, operator: Visitor, owner: Visitor) -> None:
    partner_id = cast.starlight.partner_id
    with_cover = scenes.add_game(partner_id, "Low Tide", "low-tide", [Sent(on=[On("srv-01")])])
    scenes.add_game(partner_id, "Moth Season", "moth-season", [Sent(on=[On("srv-01")])])
    scenes.servers_report()
    asset_id = asset_scenes.add_image(with_cover, "cover.png", asset_scenes.branches())
    pick_cover(asset_scenes.game_of(with_cover), asset_id, CAST)
    for path in ("/operator/servers/srv-01", "/operator/servers?server=srv-01", f"/operator/partners/{partner_id}"):
        page = operator.get(path).text
        assert len(THUMB.findall(page)) == 1, path
        assert page.count(NO_THUMB) == 1, path
    page = owner.get("/games").text
    assert len(THUMB.findall(page)) == 1
    assert page.count(NO_THUMB) == 1
    server = operator.get("/operator/servers/srv-01").text
    builds = re.findall(r"/operator/servers/srv-01/builds/\w+", server)
    shown = [len(THUMB.findall(operator.get(path).text)) for path in builds]
    assert sorted(shown) == [0, 1]


def test_a_partner_without_builds_has_no_table_of_games(cast: Cast, operator: Visitor) -> None:
    assert "Largest games" not in operator.get(f"/operator/partners/{cast.moonbase.partner_id}").text
