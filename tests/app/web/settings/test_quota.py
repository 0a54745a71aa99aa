"""Storage and limits, in words."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from app.data.database import writing
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Build, Game
from app.data.models.pack import BuildPack
from app.data.models.partner import Partner
from app.data.models.upload import Upload
from app.limits.rate_limits import rate_words
from tests.app.web import scenes
from tests.app.web.conftest import Visitor
from tests.app.web.reading import plain
from tests.app.web.scenes import Sent
from tests.conftest import Cast

PAGE = "/settings/quota"
GB = 10**9


@pytest.fixture
def partner(cast: Cast) -> Partner:
    """Two games of 7.2 and 30 GB, one upload of 5 GB under way."""
    scenes.add_game(cast.starlight.partner_id, "Night Ferry", "night-ferry", [Sent(7_200_000_000)])
    game_id = scenes.add_game(cast.starlight.partner_id, "Low Tide", "low-tide", [Sent(10 * GB), Sent(20 * GB)])
    with writing() as session:
        session.add(Upload(game_id=game_id, object_key="x", sent_by="CI", reserved_bytes=5 * GB))
    return db.session.get_one(Partner, cast.starlight.partner_id)


def test_the_meter_and_its_words_say_the_same(owner: Visitor, partner: Partner) -> None:
    with writing():
        partner.build_quota_bytes = 100 * GB
    page = owner.get(PAGE).text
    assert "34.6 of 93.1 GiB used" in plain(page)
    assert "Being uploaded: 4.7 GiB · Left: 53.8 GiB" in plain(page)
    meter = re.search(r"<meter [^>]+builds-quota[^>]*>", page)
    assert meter
    for part in ('max="100000000000"', 'value="42200000000"', 'low="90000000000"', 'high="95000000000"'):
        assert part in meter[0]


def test_packs_are_a_line_of_their_own(owner: Visitor, partner: Partner) -> None:
    with writing() as session:
        partner.build_quota_bytes = 100 * GB
        build_id = session.scalars(select(Build.id).limit(1)).one()
        pack = BuildPack(build_id=build_id, state="ready", folder="packs/x", pack_bytes=2 * GB, index_bytes=GB)
        session.add(pack)
    page = owner.get(PAGE).text
    assert "37.4 of 93.1 GiB used" in plain(page)
    assert "Archives: 34.6 GiB · Packs for updates: 2.8 GiB · Being uploaded: 4.7 GiB · Left: 51.0 GiB" in plain(page)
    assert 'value="45200000000"' in page


def test_without_a_quota_there_is_no_meter(owner: Visitor, partner: Partner) -> None:
    page = owner.get(PAGE).text
    assert "34.6 GiB used, no limit is set" in plain(page)
    assert page.count("<meter") == 1, "that of images, which always have one"


def test_images_have_a_meter_of_their_own(owner: Visitor, partner: Partner) -> None:
    page = owner.get(PAGE).text
    assert "Images 0.0 of 2.0 GiB used" in plain(page)
    assert 'max="2147483648"' in page


def test_the_largest_games_come_first(owner: Visitor, partner: Partner) -> None:
    words = plain(owner.get(PAGE).text)
    assert "Low Tide 2 builds 27.9 GiB Night Ferry 1 build 6.7 GiB" in words


def test_games_are_drawn_against_the_largest_with_their_packs(owner: Visitor, partner: Partner) -> None:
    with writing() as session:
        build = session.scalars(select(Build).where(Build.size == 20 * GB)).one()
        packed = {"state": "ready", "folder": "packs/x", "pack_bytes": 9 * GB, "index_bytes": GB}
        session.add(BuildPack(build_id=build.id, **packed))
    page = owner.get(PAGE).text
    assert "Largest: Low Tide, 37.3 GiB." in plain(page)
    bars = re.findall(r'<rect class="(full|light)" x="(\d+)" width="(\d+)" height="10">', page)
    assert bars == [("full", "0", "750"), ("light", "750", "250"), ("full", "0", "180")]
    words = plain(page)
    assert (
        "Game Builds Archives (GiB) Packs (GiB) Together (GiB) Low Tide 2 27.9 9.3 37.3 Night Ferry 1 6.7 0 6.7"
        in words
    )


def test_a_deleted_game_counts_until_it_is_swept(owner: Visitor, partner: Partner) -> None:
    with writing() as session:
        session.scalars(select(Game).where(Game.slug == "low-tide")).one().deleted_at = now()
    page = owner.get(PAGE).text
    assert "Low Tide deleted, freed soon, 2 builds 27.9 GiB" in plain(page)
    assert 'href="/games/low-tide"' not in page


def test_more_games_than_are_shown_are_counted(owner: Visitor, cast: Cast) -> None:
    for index in range(12):
        scenes.add_game(cast.starlight.partner_id, f"Game {index}", f"game-{index}", [Sent(GB)])
    assert "2 smaller games are not shown." in plain(owner.get(PAGE).text)


def test_a_stranger_sees_their_own(stranger: Visitor, partner: Partner) -> None:
    page = plain(stranger.get(PAGE).text)
    assert "0 B used, no limit is set" in page
    assert "Low Tide" not in page


@pytest.mark.settings(
    SLIPWAY_API_RATE="100 per minute",
    SLIPWAY_UPLOAD_RATE="10 per hour",
    SLIPWAY_SIGN_IN_RATE="5 per 3 minutes",
    MAX_ARCHIVE_BYTES="20G",
)
def test_the_limits_are_those_that_are_set(viewer: Visitor) -> None:
    words = plain(viewer.get(PAGE).text)
    for limit in (
        "API calls 100 calls per minute for each key",
        "Builds sent by API 10 uploads per hour for each key, including rejected archives",
        "A build, packed at most 20 GiB",
        "Wrong passwords 5 attempts per 3 minutes, then a wait",
        "A rolled key works 24 h longer",
        "An invitation works once, for 7 days",
    ):
        assert limit in words


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        ("100 per minute", "100 calls per minute"),
        ("1 per hour", "1 call per hour"),
        ("2000 per day", "2,000 calls per day"),
        ("10 per 5 minutes", "10 calls per 5 minutes"),
    ],
)
def test_rates_in_words(rate: str, words: str) -> None:
    assert rate_words(rate, "call") == words
