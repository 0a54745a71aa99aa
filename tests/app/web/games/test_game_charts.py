"""Charts of one game on its Activity page: transfer per day, and how long releases took."""

from __future__ import annotations

import re

from tests.app.web import fleet_scenes, scenes
from tests.app.web.conftest import ONE_DATABASE, Visitor
from tests.app.web.reading import plain
from tests.app.web.scenes import Sent
from tests.conftest import Cast

pytestmark = ONE_DATABASE
PAGE = "/games/low-tide/activity"


def test_a_game_shows_its_transfer_and_its_rollouts(owner: Visitor, viewer: Visitor, cast: Cast) -> None:
    game_id = scenes.add_game(cast.starlight.partner_id, "Low Tide", "low-tide", [Sent()])
    fleet_scenes.months_of_transfers(game_id)
    fleet_scenes.rollouts(game_id, 600, None)
    for page in (owner.get(PAGE).text, viewer.get(PAGE).text):
        text = plain(page)
        assert re.search(r"Transferred per day 2\.2 TiB in 30 days", text)
        assert "Slowest: build 1, 10 min." in text
        assert re.search(r"Build 1 \d+ \w+, \d\d:\d\d UTC 10 min", text)
        assert re.search(r"Build 2 \d+ \w+, \d\d:\d\d UTC Not recorded", text)
        assert "Not yet, 2 days so far" in text
    assert "Transferred per day" not in owner.get(f"{PAGE}?q=nothing").text


def test_bytes_of_other_games_and_partners_are_not_in_it(owner: Visitor, stranger: Visitor, cast: Cast) -> None:
    scenes.add_game(cast.starlight.partner_id, "Low Tide", "low-tide", [Sent(released=None)])
    theirs = scenes.add_game(cast.moonbase.partner_id, "Night Ferry", "night-ferry", [Sent()])
    fleet_scenes.months_of_transfers(theirs)
    text = plain(owner.get(PAGE).text)
    assert "Servers fetched no build of this game in the last 30 days." in text
    assert "Shown after the next release." in text
    assert stranger.get(PAGE).status_code == 404
    assert "2.2 TiB in 30 days" in plain(stranger.get("/games/night-ferry/activity").text)
