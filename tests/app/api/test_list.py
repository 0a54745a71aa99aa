"""GET /api/partners/games: partner-api.md 5.1, DECISIONS 6."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.api.kept_answers import KeptAnswers
from app.data.database import announce, writing
from app.data.extensions import db
from app.data.models.game import Game
from app.topics.names import catalog_topic
from tests.app.api.calling import GAMES, Script, body, counting, refused, shape
from tests.conftest import Cast
from tests.game_archives import game_archive

ROW = {
    "id": "str",
    "slug": "str",
    "title": "str",
    "developer": "str",
    "tags": ["str"],
    "status": "str",
    "createdAt": "moment",
    "updatedAt": "moment",
}
BEGIN = datetime(2025, 1, 15, 10, 30, tzinfo=UTC)


def fill(partner_id: str, *games: dict[str, Any]) -> None:
    """Games in the database, made a minute apart unless they say when."""
    with writing() as session:
        for number, fields in enumerate(games):
            made = BEGIN + timedelta(minutes=number)
            session.add(
                Game(
                    **{
                        "partner_id": partner_id,
                        "slug": f"game-{number}",
                        "title": f"Game {number}",
                        "developer": "Kite Works",
                        "tags": ["Visual Novel"],
                        "created_at": made,
                        "updated_at": made,
                    }
                    | fields
                )
            )
        announce(catalog_topic(partner_id))


def slugs(games: Iterable[dict[str, Any]]) -> list[str]:
    return [game["slug"] for game in games]


def test_an_empty_catalog_is_an_empty_list(script: Script) -> None:
    assert body(script.list()) == {"games": [], "total": 0}


def test_a_row_has_exactly_the_documented_fields(script: Script) -> None:
    script.register()

    answer = body(script.list())

    assert shape(answer) == {"games": [ROW], "total": "int"}
    (row,) = answer["games"]
    assert {name: row[name] for name in ("slug", "title", "developer", "tags", "status")} == {
        "slug": "paper-lanterns",
        "title": "Paper Lanterns",
        "developer": "Kite Works",
        "tags": ["Visual Novel"],
        "status": "pending_upload",
    }


def test_times_are_utc_in_whole_seconds(script: Script, cast: Cast) -> None:
    moment = datetime(2025, 3, 1, 16, 0, 59, 999_999, tzinfo=UTC)
    fill(cast.starlight.partner_id, {"created_at": moment, "updated_at": moment})

    (row,) = body(script.list())["games"]

    assert row["createdAt"] == "2025-03-01T16:00:59Z"
    assert row["updatedAt"] == "2025-03-01T16:00:59Z"


def test_games_stand_in_the_order_they_were_made_and_then_by_id(script: Script, cast: Cast) -> None:
    same = {"created_at": BEGIN}
    fill(
        cast.starlight.partner_id,
        {"slug": "late", "created_at": BEGIN + timedelta(days=1)},
        {"slug": "second", "id": "game_b", **same},
        {"slug": "third", "id": "game_c", **same},
        {"slug": "first", "id": "game_a", **same},
        {"slug": "early", "created_at": BEGIN - timedelta(days=1)},
    )

    assert slugs(body(script.list())["games"]) == ["early", "first", "second", "third", "late"]


def test_games_can_stand_in_another_order(script: Script, cast: Cast) -> None:
    fill(
        cast.starlight.partner_id,
        {"slug": "b", "title": "beta", "updated_at": BEGIN + timedelta(days=2)},
        {"slug": "a", "title": "Alpha", "updated_at": BEGIN + timedelta(days=3)},
        {"slug": "c", "title": "Gamma", "updated_at": BEGIN + timedelta(days=1)},
    )

    for sort, expected in {
        "created": "bac", "-created": "cab", "updated": "cba", "-updated": "abc", "title": "abc", "-title": "cba",
    }.items():  # fmt: skip
        found: list[str] = []
        query: dict[str, Any] = {"sort": sort, "limit": 2}
        while True:
            page = body(script.list(**query))
            found += slugs(page["games"])
            if "nextCursor" not in page:
                break
            query["cursor"] = page["nextCursor"]
        assert "".join(found) == expected, sort
    refused(script.list(sort="popular"), 400, "invalid_request")


def test_a_list_holds_only_the_partners_own_living_games(script: Script, stranger: Script) -> None:
    script.register()
    script.register(slug="gone")
    script.delete("gone")
    stranger.register(slug="theirs")

    answer = body(script.list())

    assert slugs(answer["games"]) == ["paper-lanterns"]
    assert answer["total"] == 1


def test_everything_is_returned_unless_a_limit_is_given(script: Script, cast: Cast) -> None:
    fill(cast.starlight.partner_id, *({"slug": f"g-{n}"} for n in range(205)))

    answer = body(script.list())

    assert len(answer["games"]) == answer["total"] == 205
    assert "nextCursor" not in answer


def test_pages_follow_each_other_without_gap_or_overlap(script: Script, cast: Cast) -> None:
    # Three of them were made in the same instant, across the end of a page.
    fill(
        cast.starlight.partner_id,
        *({"slug": f"g-{n}", "created_at": BEGIN + timedelta(minutes=max(n, 3) - 3)} for n in range(10)),
    )
    whole = slugs(body(script.list())["games"])
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 4}
    sizes = []

    while True:
        page = body(script.list(**query))
        assert page["total"] == 10
        seen += slugs(page["games"])
        sizes.append(len(page["games"]))
        if "nextCursor" not in page:
            break
        query["cursor"] = page["nextCursor"]

    assert seen == whole
    assert sizes == [4, 4, 2]


def test_the_last_page_that_is_just_full_has_no_next(script: Script, cast: Cast) -> None:
    fill(cast.starlight.partner_id, *({"slug": f"g-{n}"} for n in range(4)))

    assert "nextCursor" not in body(script.list(limit=4))
    assert "nextCursor" in body(script.list(limit=3))


def test_paging_goes_on_when_the_last_game_seen_was_deleted_and_swept(script: Script, cast: Cast) -> None:
    fill(cast.starlight.partner_id, *({"slug": f"g-{n}"} for n in range(4)))
    page = body(script.list(limit=2))
    with writing() as session:
        session.delete(session.scalars(select(Game).where(Game.slug == "g-1")).one())

    rest = body(script.list(limit=2, cursor=page["nextCursor"]))

    assert slugs(rest["games"]) == ["g-2", "g-3"]


def test_a_cursor_without_a_limit_gives_the_rest(script: Script, cast: Cast) -> None:
    fill(cast.starlight.partner_id, *({"slug": f"g-{n}"} for n in range(5)))
    page = body(script.list(limit=2))

    assert slugs(body(script.list(cursor=page["nextCursor"]))["games"]) == ["g-2", "g-3", "g-4"]


def test_query_parameters_that_break_a_rule_are_refused_by_name(script: Script, subtests: pytest.Subtests) -> None:
    for limit in (1, 200):
        body(script.list(limit=limit))
    for name, value in [
        ("limit", "0"),
        ("limit", "201"),
        ("limit", "-1"),
        ("limit", "many"),
        ("limit", "1.5"),
        ("limit", ""),
        ("status", "live"),
        ("status", "ACTIVE"),
        ("cursor", "nonsense"),
        ("cursor", "game_0000000000000000000000"),
        ("cursor", "é"),
        ("cursor", "a\0b"),
        ("q", "a\0b"),
        ("tag", "a\0b"),
    ]:
        with subtests.test(name=name, value=value):
            answer = script.ask("GET", GAMES, query_string={name: value})
            assert name in refused(answer, 400, "invalid_request")


def test_status_narrows_the_list_and_its_total(script: Script) -> None:
    script.register()
    script.register(slug="waiting")
    body(script.send(game_archive()))

    active, waiting = body(script.list(status="active")), body(script.list(status="pending_upload"))

    assert (slugs(active["games"]), active["total"]) == (["paper-lanterns"], 1)
    assert (slugs(waiting["games"]), waiting["total"]) == (["waiting"], 1)


def test_tag_finds_whole_tags_whatever_their_letters_case(script: Script, subtests: pytest.Subtests) -> None:
    script.register(slug="a", tags=["Visual Novel", "Mystery"])
    script.register(slug="b", tags=["Novel"])
    script.register(slug="c", tags=['say "hi"', "50%", "a_b", "back\\slash"])
    script.register(slug="d", tags=["Épée"])
    for tag, found in {
        "Visual Novel": ["a"],
        "visual novel": ["a"],
        "Novel": ["b"],
        "Visual": [],
        'say "hi"': ["c"],
        "hi": [],
        "50%": ["c"],
        "%": [],
        "a_b": ["c"],
        "axb": [],
        "back\\slash": ["c"],
        "Épée": ["d"],
        "épée": ["d"],
        ", ": [],
        "": ["a", "b", "c", "d"],
    }.items():
        with subtests.test(tag=tag):
            answer = body(script.list(tag=tag))
            assert slugs(answer["games"]) == found
            assert answer["total"] == len(found)


def test_q_searches_titles_slugs_and_tags(script: Script, subtests: pytest.Subtests) -> None:
    script.register(slug="paper-lanterns", title="Paper Lanterns", tags=["Mystery"])
    script.register(slug="moon", title="100% Moon_Light", tags=["Visual Novel", "Mystery"])
    script.register(slug="ecole", title="L'École", tags=["Épée"])
    for text, found in {
        "LANTERN": ["paper-lanterns"],
        "paper-l": ["paper-lanterns"],
        "mystery": ["paper-lanterns", "moon"],
        "100%": ["moon"],
        "100_": [],
        "n_l": ["moon"],
        "école": ["ecole"],
        "ÉCOLE": ["ecole"],
        "épé": ["ecole"],
        '"': [],
        ", ": [],
        "[": [],
        "u00e9": [],
        "nothing": [],
        "'": ["ecole"],
    }.items():
        with subtests.test(q=text):
            assert slugs(body(script.list(q=text))["games"]) == found


def test_filters_work_together_and_with_pages(script: Script, cast: Cast) -> None:
    fill(
        cast.starlight.partner_id,
        *({"slug": f"g-{n}", "tags": ["Even" if n % 2 == 0 else "Odd"], "title": f"Tale {n}"} for n in range(7)),
    )

    page = body(script.list(tag="Even", q="tale", status="pending_upload", limit=3))
    rest = body(script.list(tag="Even", q="tale", status="pending_upload", limit=3, cursor=page["nextCursor"]))

    assert page["total"] == rest["total"] == 4
    assert slugs(page["games"] + rest["games"]) == ["g-0", "g-2", "g-4", "g-6"]


def test_the_number_of_queries_does_not_depend_on_the_number_of_games(app: Flask, script: Script, cast: Cast) -> None:
    counts = []
    for many in (5, 50):
        fill(cast.starlight.partner_id, *({"slug": f"g{many}-{n}"} for n in range(many)))
        script.list()  # the key is read once, and its "last used" is written once a minute: not part of the comparison
        app.extensions["slipway_kept_answers"] = KeptAnswers()
        with counting(app) as statements:
            assert len(body(script.list())["games"]) >= many
        counts.append(len(statements))

    assert counts[0] == counts[1]
    assert counts[0] <= 3


def test_an_unchanged_list_is_304(app: Flask, script: Script) -> None:
    script.register()
    first = script.list()
    etag = first.headers["ETag"]

    with counting(app) as statements:
        again = script.list({"If-None-Match": etag})

    assert again.status_code == 304
    assert again.data == b""
    assert again.headers["ETag"] == etag
    assert not [statement for statement in statements if "FROM games" in statement]


def test_every_change_to_the_catalog_changes_the_lists_etag(script: Script) -> None:
    seen = [script.list().headers["ETag"]]
    changes: list[Callable[[], TestResponse]] = [
        script.register,
        lambda: script.change(title="Other"),
        lambda: script.send(game_archive()),
        script.delete,
    ]
    for change in changes:
        assert change().status_code < 300
        answer = script.list({"If-None-Match": seen[-1]})
        assert answer.status_code == 200
        seen.append(answer.headers["ETag"])

    assert len(set(seen)) == len(seen)


def test_an_etag_is_of_one_partner_and_one_question(script: Script, stranger: Script) -> None:
    script.register()
    stranger.register()
    etag = script.list().headers["ETag"]

    assert stranger.list({"If-None-Match": etag}).status_code == 200
    assert script.list({"If-None-Match": etag}, q="other").status_code == 200
    assert script.list({"If-None-Match": etag}, limit=1).status_code == 200
    assert script.list({"If-None-Match": f'"other", {etag}'}).status_code == 304


def test_a_rolled_back_change_leaves_the_etag(app: Flask, script: Script) -> None:
    script.register()
    etag = script.list().headers["ETag"]

    assert script.register().status_code == 409

    assert script.list({"If-None-Match": etag}).status_code == 304
    assert db.session.scalars(select(Game)).all()
