"""Capacity at a glance: room on disks, and what was transferred per hour and per day."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.app.web import fleet_scenes, scenes
from tests.app.web.conftest import ONE_DATABASE, Visitor
from tests.app.web.reading import plain
from tests.conftest import Cast
from tests.many_rows import Many, add_many

pytestmark = ONE_DATABASE
PAGE = "/operator/capacity"
GB, TB = 10**9, 10**12


@pytest.fixture
def operator(cast: Cast, signed_in: Callable[[str], Visitor]) -> Visitor:
    return signed_in(cast.operator)


def test_disks_are_listed_by_room_above_their_floor(operator: Visitor, six_servers: list[str]) -> None:
    scenes.servers_report()
    fleet_scenes.machines()
    full = {"disk_total_bytes": TB, "disk_free_bytes": 20 * GB, "disk_floor_bytes": 20 * GB}
    fleet_scenes.columns("srv-02", **full)
    page = operator.get(PAGE).text
    names = re.findall(r'<a class="row-link" href="/operator/servers/(srv-\d\d)"', page)
    assert names == ["srv-02", "srv-04", "srv-05", "srv-01", "srv-06", "srv-03"]
    text = plain(page)
    assert "Least room 0 B on srv-02" in text
    assert "Disks nearly full 2 of 6" in text
    assert re.search(r"srv-02 \S+ At its floor", text)
    assert re.search(r"srv-04 \S+ 7\.5 GiB of room, near its floor", text)
    assert re.search(r"srv-03 \S+ 967 GiB of room ", text)
    assert "Server In use (GiB) Free (GiB) Floor (GiB) Room (GiB) Disk (GiB)" in text
    assert "srv-02 913 18.6 18.6 0 931" in text


def test_transfer_is_shown_per_hour_and_per_day_with_its_numbers(operator: Visitor, cast: Cast) -> None:
    game_id = scenes.add_game(cast.starlight.partner_id, "Low Tide", "low-tide")
    fleet_scenes.months_of_transfers(game_id)
    page = operator.get(PAGE).text
    text = plain(page)
    assert re.search(r"Transferred per day 2\.2 TiB in 30 days\. Most: \d", text)
    assert re.search(r"Transferred per hour 317 GiB in 48 hours\. Most: 196 GiB, \d", text)
    assert page.count('role="img"') == 2
    assert len(re.findall(r'<rect class="full" x=', page)) >= 8
    assert "Transferred (GiB)" in text
    assert "Transferred (TiB)" not in text
    assert page.count('<details class="chart-numbers">') == 2
    assert " style=" not in page


def test_without_data_each_chart_is_a_sentence(operator: Visitor, cast: Cast) -> None:
    text = plain(operator.get(PAGE).text)
    for words in (
        "No server has reported its disk yet.",
        "Nothing was transferred in the last 48 hours.",
        "Nothing was transferred in the last 30 days.",
    ):
        assert words in text


def test_more_servers_than_are_shown_are_counted(operator: Visitor, cast: Cast) -> None:
    add_many(cast.starlight.partner_id, Many(games=1, builds=0, servers=25, entries=0, assets=0))
    page = operator.get(PAGE).text
    assert "5 more servers with more room." in plain(page)
    assert page.count('class="row-link"') == 20


def test_operators_find_it_and_partners_do_not(operator: Visitor, owner: Visitor) -> None:
    for path in ("/operator/servers", "/operator/attention"):
        assert f'href="{PAGE}"' in operator.get(path).text
    assert owner.get(PAGE).status_code in {403, 404}
