"""Search, filters, orders and pages of a game's builds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.catalog.build_filters import BUILD_ORDERS, BuildFilter, find_builds, require_page
from app.catalog.game_filters import GameFilter
from app.catalog.game_pages import GAME_ORDERS, games_page
from app.catalog.game_reads import LISTED_ORDERS, list_games
from app.data.database import writing
from app.data.extensions import db
from app.data.models.game import Build, Game
from app.data.models.partner import Partner
from app.refusals import InvalidRequest
from tests.app.web import scenes
from tests.app.web.scenes import Sent
from tests.conftest import Cast

pytestmark = pytest.mark.both_databases

# (size, sender) of builds 1 to 6. Equal values are next to each other only if the id is part of the order.
SENT = [(5, "Noor"), (9, "CI"), (5, "noor"), (1, "CI"), (5, "Ada"), (9, "CI")]


@pytest.fixture
def game(cast: Cast) -> Game:
    builds = [
        Sent(size, sent_by=sender, released=timedelta(days=1) if number in (1, 3) else None)
        for number, (size, sender) in enumerate(SENT, 1)
    ]
    game_id = scenes.add_game(cast.starlight.partner_id, "Low Tide", "low-tide", builds)
    scenes.add_game(cast.starlight.partner_id, "High Tide", "high-tide", [Sent(sent_by="Noor")])
    with writing() as session:
        for build in session.scalars(select(Build).where(Build.game_id == game_id)):
            if build.number == 2:
                build.note, build.version_label = "For the École demo", "1.4.2"
            if build.number == 5:
                build.warnings, build.file_name = ["README differs"], "harbour.tar.gz"
    return db.session.get_one(Game, game_id)


def numbers(game: Game, wanted: BuildFilter) -> list[int]:
    return [build.number for build in find_builds(game, wanted).builds]


def pages(game: Game, sort: str) -> Iterator[list[int]]:
    after: str | None = None
    while True:
        found = find_builds(game, BuildFilter(sort=sort, limit=2, after=after))
        yield [build.number for build in found.builds]
        after = found.next_cursor
        if after is None:
            return


@pytest.mark.parametrize("sort", ["", *BUILD_ORDERS])
def test_pages_of_each_order_have_every_build_once(game: Game, sort: str) -> None:
    whole = numbers(game, BuildFilter(sort=sort))
    paged = list(pages(game, sort))
    assert [number for page in paged for number in page] == whole
    assert sorted(whole) == [1, 2, 3, 4, 5, 6]
    assert [len(page) for page in paged] == [2, 2, 2]


def test_orders_are_those_of_their_names(game: Game) -> None:
    assert numbers(game, BuildFilter()) == [6, 5, 4, 3, 2, 1]
    assert numbers(game, BuildFilter(sort="number")) == [1, 2, 3, 4, 5, 6]
    sizes = [SENT[number - 1][0] for number in numbers(game, BuildFilter(sort="size"))]
    assert sizes == sorted(sizes)
    assert numbers(game, BuildFilter(sort="-size")) == numbers(game, BuildFilter(sort="size"))[::-1]
    senders = [SENT[number - 1][1].lower() for number in numbers(game, BuildFilter(sort="sender"))]
    assert senders == sorted(senders)


@pytest.mark.parametrize(
    ("text", "found"),
    [("ecole", [2]), ("1.4", [2]), ("NOOR", [3, 1]), ("harbour", [5]), ("4", [4, 2]), ("sorcery", [])],
)
def test_a_search_looks_at_what_the_row_says(game: Game, text: str, found: list[int]) -> None:
    assert numbers(game, BuildFilter(text)) == found


def test_counts_are_those_of_the_text_whatever_the_status(game: Game) -> None:
    for status, found in (("released", [3, 1]), ("unreleased", [6, 5, 4, 2]), ("warnings", [5])):
        page = find_builds(game, BuildFilter(status=status, limit=1))
        assert page.counts == {"": 6, "released": 2, "unreleased": 4, "warnings": 1}
        assert page.total == len(found)
        assert numbers(game, BuildFilter(status=status)) == found
    assert find_builds(game, BuildFilter("noor", "unreleased")).counts == {
        "": 2, "released": 2, "unreleased": 0, "warnings": 0,
    }  # fmt: skip


def test_a_cursor_of_another_order_is_refused(game: Game) -> None:
    cursor = find_builds(game, BuildFilter(sort="sender", limit=2)).next_cursor
    assert cursor
    for sort in ("", "-number", "size"):
        with pytest.raises(InvalidRequest):
            require_page(sort, cursor)
        with pytest.raises(InvalidRequest):
            find_builds(game, BuildFilter(sort=sort, after=cursor))
    require_page("-sender", cursor)


def test_games_are_in_the_order_of_their_title_or_size(game: Game, cast: Cast) -> None:
    scenes.add_game(cast.starlight.partner_id, "aurora", "aurora", age=timedelta(hours=1))
    scenes.add_game(cast.starlight.partner_id, "Zephyr", "zephyr", [Sent(3)], age=timedelta(hours=2))
    partner = db.session.get_one(Partner, cast.starlight.partner_id)

    def titles(sort: str, limit: int = 50) -> list[str]:
        found, after = [], None
        while True:
            page = games_page(partner, GameFilter(sort=sort, after=after), "", limit)
            found += [each.title for each in page.games]
            after = page.next_cursor
            if after is None:
                return found

    assert titles("title") == ["aurora", "High Tide", "Low Tide", "Zephyr"]
    assert titles("size") == ["aurora", "Zephyr", "Low Tide", "High Tide"], "a game without a live build has no size"
    assert titles("updated")[:2] == ["Zephyr", "aurora"]
    for sort in GAME_ORDERS:
        assert titles(sort, 1) == titles(sort)
        assert titles(sort) == titles(sort.removeprefix("-") if sort.startswith("-") else f"-{sort}")[::-1]


def test_the_apis_list_of_games_has_the_same_rows_in_each_order(game: Game, cast: Cast) -> None:
    scenes.add_game(cast.starlight.partner_id, "aurora", "aurora")
    partner = db.session.get_one(Partner, cast.starlight.partner_id)
    for sort in LISTED_ORDERS:
        whole = [each.title for each in list_games(partner, GameFilter(sort=sort)).games]
        assert sorted(whole) == ["High Tide", "Low Tide", "aurora"]
        found, after = [], None
        while True:
            page = list_games(partner, GameFilter(sort=sort, limit=1, after=after))
            found += [each.title for each in page.games]
            assert page.total == 3
            after = page.next_cursor
            if after is None:
                break
        assert found == whole
    titles = [each.title for each in list_games(partner, GameFilter(sort="title")).games]
    assert titles == ["aurora", "High Tide", "Low Tide"]
