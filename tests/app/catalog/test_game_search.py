"""Finding games and builds by what somebody types."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from app.catalog.game_search import FoundBuild, matching_builds, matching_games, named_games
from app.data.database import writing
from app.data.extensions import db
from app.data.models.game import Build
from app.data.models.partner import Partner
from app.data.text_search import search_words
from tests.app.fleet.counting import statements
from tests.app.web import scenes
from tests.app.web.scenes import Sent
from tests.conftest import Cast


@pytest.fixture
def partner(cast: Cast) -> Partner:
    """Starlight Studio with three games, the last changed first: Paper Lanterns, Lantern Moths, Low Tide."""
    partner_id = cast.starlight.partner_id
    scenes.add_game(partner_id, "Low Tide", "low-tide", [Sent()], age=timedelta(days=3))
    moths = scenes.add_game(partner_id, "Lantern Moths", "moths", [Sent(), Sent()], age=timedelta(days=2))
    scenes.add_game(partner_id, "Paper Lanterns", "paper-lanterns", [Sent() for _ in range(12)])
    scenes.add_game(cast.moonbase.partner_id, "Lanterns of the Moon", "lanterns", [Sent()])
    with writing() as session:
        session.execute(
            update(Build).where(Build.game_id == moths, Build.number == 1).values(version_label="12.4-Beta")
        )
    return db.session.get_one(Partner, partner_id)


def found(partner: Partner, text: str) -> list[str]:
    return [game.slug for _, game in matching_games(named_games(partner), search_words(text))]


def builds(partner: Partner, text: str) -> list[tuple[str, int]]:
    matches: list[tuple[int, FoundBuild]] = matching_builds(named_games(partner), text, 6)
    return [(build.game.slug, build.number) for _, build in matches]


def test_games_match_by_every_word_the_best_first(partner: Partner) -> None:
    assert found(partner, "lantern") == ["moths", "paper-lanterns"]  # it begins with the word
    assert found(partner, "lanterns paper") == ["paper-lanterns"]
    assert found(partner, "lantern moths tide") == []
    assert found(partner, "paper-lan") == ["paper-lanterns"]


def test_without_a_word_the_last_changed_game_is_first(partner: Partner) -> None:
    assert found(partner, "") == ["paper-lanterns", "moths", "low-tide"]


def test_no_game_of_another_partner_is_found(partner: Partner) -> None:
    assert "lanterns" not in [game.slug for game in named_games(partner)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("paper-lanterns 12", [("paper-lanterns", 12)]),
        ("lanterns build #12", [("paper-lanterns", 12)]),
        ("12", [("paper-lanterns", 12), ("moths", 1)]),
        ("moths 12.4-b", [("moths", 1)]),
        ("moths 13", []),
        ("paper 2_", []),
        ("paper lanterns", []),
        ("", []),
        ("0", []),
        ("99999999999999999999", []),
    ],
)
def test_builds_match_by_number_or_version_label(partner: Partner, text: str, expected: list[tuple[str, int]]) -> None:
    assert builds(partner, text) == expected


def test_a_search_takes_two_queries(partner: Partner) -> None:
    with statements() as sent:
        builds(partner, "lanterns 1")
    assert len(sent) == 2
