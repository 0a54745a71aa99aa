"""GET and PATCH /api/partners/games/{slug}: partner-api.md 5.2 and 5.4."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.catalog.games import delete_game, update_game
from app.data.database import writing
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.game import Game
from app.refusals import NotFound
from tests.app.api.calling import GAMES, Script, body, refused, report, shape
from tests.app.api.test_register import REFUSED, TAKEN
from tests.conftest import CAST, GAME, Cast
from tests.game_archives import game_archive

DETAIL = {
    "id": "str",
    "slug": "str",
    "title": "str",
    "developer": "str",
    "description": "str",
    "tags": ["str"],
    "launcher": "str",
    "renpyDir": "str",
    "thumbnail": "null",
    "status": "str",
    "cacheStatus": {"servers": "int", "cached": "int"},
    # Ours beside the documented ones:
    "autoRelease": "bool",
    "releasedBuild": "null",
    "sentBytes": "int",
    "savedBytes": "int",
}
REQUIRED = ("title", "developer", "description", "tags", "launcher", "renpyDir")


def test_a_game_has_exactly_the_documented_fields_and_four_of_ours(script: Script, cast: Cast) -> None:
    script.register()

    game = body(script.read())

    assert shape(game) == DETAIL
    assert {name: game[name] for name in GAME} == GAME
    assert game["status"] == "pending_upload"
    assert game["cacheStatus"] == {"servers": len(cast.servers), "cached": 0}


def test_optional_fields_appear_when_they_are_set(script: Script) -> None:
    script.register(
        thumbnail="/cover.png",
        screenshots=["/1.png"],
        releaseDate="2025-01-15",
        contentRating="Teen",
        languages=["en"],
    )

    assert shape(body(script.read())) == DETAIL | {
        "thumbnail": "str",
        "screenshots": ["str"],
        "releaseDate": "str",
        "contentRating": "str",
        "languages": ["str"],
    }


def test_an_active_game_names_its_build_and_counts_the_servers_that_hold_it(
    client: FlaskClient, script: Script, cast: Cast
) -> None:
    game_id = body(script.register(), 201)["id"]
    body(script.send(game_archive()))
    report(client, cast.servers["srv-02"], 1, [{"gameId": game_id, "build": 1, "phase": "cached"}])

    game = body(script.read())

    assert shape(game) == DETAIL | {"releasedBuild": "int"}
    assert game["status"] == "active"
    assert game["releasedBuild"] == 1
    assert game["cacheStatus"] == {"servers": 3, "cached": 1}


def test_a_game_that_is_not_there_is_not_found_by_its_slug(script: Script, stranger: Script) -> None:
    stranger.register(slug="theirs")
    for slug in ("xyz", "theirs", "PAPER", "a b", "é", "x" * 5000):
        assert refused(script.read(slug), 404, "not_found") == f"No game with slug '{slug}'"


def test_a_slug_with_a_nul_character_is_not_found(script: Script) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        refused(script.ask(method, f"{GAMES}/a%00b", json={}), 404, "not_found")


def test_reading_again_is_304_until_the_answer_changes(client: FlaskClient, script: Script, cast: Cast) -> None:
    game_id = body(script.register(), 201)["id"]
    body(script.send(game_archive()))
    first = script.read()

    again = script.read(headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")

    report(client, cast.servers["srv-01"], 1, [{"gameId": game_id, "build": 1, "phase": "cached"}])
    changed = script.read(headers={"If-None-Match": first.headers["ETag"]})
    assert body(changed)["cacheStatus"]["cached"] == 1


def test_absent_fields_stay_as_they_are(script: Script, subtests: pytest.Subtests) -> None:
    script.register(thumbnail="/cover.png", languages=["en"], contentRating="Teen")
    before = body(script.read())
    changes: dict[str, Any] = {
        "title": "Other",
        "developer": "Other Works",
        "description": "Another story.",
        "tags": ["Mystery", "Short"],
        "launcher": "other.sh",
        "renpyDir": "Other-1",
        "thumbnail": "/other.png",
        "screenshots": ["/1.png"],
        "releaseDate": "2025-01-15",
        "contentRating": "Mature",
        "languages": ["de"],
        "autoRelease": False,
    }
    for field, value in changes.items():
        with subtests.test(field=field):
            after = body(script.change(**{field: value}))
            assert after == before | {field: value}
            assert body(script.read()) == after
            before = after


def test_an_update_answers_with_the_whole_game(script: Script) -> None:
    script.register()

    assert shape(body(script.change(title="Other"))) == DETAIL


def test_null_clears_an_optional_field(script: Script) -> None:
    optional = {
        "thumbnail": "/cover.png",
        "screenshots": ["/1.png"],
        "releaseDate": "2025-01-15",
        "contentRating": "Teen",
        "languages": ["en"],
    }
    script.register(**optional)

    game = body(script.change(**dict.fromkeys(optional)))

    assert shape(game) == DETAIL
    assert game["thumbnail"] is None


def test_null_on_a_required_field_is_refused_and_changes_nothing(script: Script, subtests: pytest.Subtests) -> None:
    script.register()
    before = body(script.read())
    for field in (*REQUIRED, "slug", "autoRelease"):
        with subtests.test(field=field):
            assert field in refused(script.change(**{field: None, "contentRating": "Teen"}), 400, "invalid_request")

    assert body(script.read()) == before


def test_the_rules_of_registering_hold_for_changes_too(script: Script, subtests: pytest.Subtests) -> None:
    script.register()
    for field, values in REFUSED.items():
        value = values[-1]
        with subtests.test(field=field, value=repr(value)[:40]):
            assert field in refused(script.change(**{field: value}), 400, "invalid_request")
    for field, values in TAKEN.items():
        if field != "slug":
            value = values[-1]
            with subtests.test(field=field, value=repr(value)[:40]):
                assert body(script.change(**{field: value}))[field] == value


def test_the_slug_cannot_be_changed(script: Script) -> None:
    script.register()
    script.register(slug="other")

    message = refused(script.change(slug="new-name", title="Other"), 400, "invalid_request")
    assert "slug" in message
    assert "paper-lanterns" in message
    refused(script.change(slug="other"), 400, "invalid_request")
    refused(script.change(slug="PAPER-LANTERNS"), 400, "invalid_request")

    assert body(script.change(slug="paper-lanterns", title="Other"))["title"] == "Other"


def test_every_update_moves_updated_at_and_leaves_created_at(script: Script, cast: Cast) -> None:
    script.register()
    past = datetime(2025, 1, 15, 10, 30, tzinfo=UTC)
    with writing() as session:
        session.execute(update(Game).values(created_at=past, updated_at=past))

    body(script.change(title="Other"))

    (row,) = body(script.list())["games"]
    assert row["createdAt"] == "2025-01-15T10:30:00Z"
    assert row["updatedAt"] > "2026"


def test_an_empty_update_changes_nothing_else(script: Script) -> None:
    script.register()
    before = body(script.read())

    assert body(script.change()) == before
    assert body(script.change(unknown="x", status="active")) == before


def test_what_changed_is_written_into_the_audit_log(script: Script) -> None:
    script.register()

    script.change(title="Other", description=GAME["description"])

    (entry,) = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "game.updated"))
    assert entry.details == {"changed": ["title"]}


def test_a_game_deleted_meanwhile_is_not_found_by_a_late_update_or_delete(app: Flask, script: Script) -> None:
    script.register()
    late = db.session.scalars(select(Game)).one()
    script.delete()

    with pytest.raises(NotFound, match="paper-lanterns"):
        update_game(late, {"title": "Other"}, CAST)
    with pytest.raises(NotFound, match="paper-lanterns"):
        delete_game(late, CAST)

    assert db.session.scalars(select(Game.title)).one() == "Paper Lanterns"


def test_a_game_swept_meanwhile_is_not_found_by_a_late_update_or_delete(app: Flask, script: Script) -> None:
    script.register()
    late = db.session.scalars(select(Game)).one()
    with app.app_context(), writing() as session:
        session.delete(session.scalars(select(Game)).one())

    with pytest.raises(NotFound):
        update_game(late, {"title": "Other"}, CAST)
    with pytest.raises(NotFound):
        delete_game(late, CAST)
