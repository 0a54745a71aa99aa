"""/api/partners/uploads: an archive that is sent before its game is registered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.accounts.build_quota import build_quota
from app.accounts.keys import create_key
from app.catalog.game_lookup import find_game
from app.catalog.partner_removal import close_partner, remove_partner
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.partner import Partner
from app.maintenance.build_sweep import sweep
from app.refusals import NotFound
from app.storage.bucket import bucket
from app.uploads.resumable.archive_check import Outcome, examine
from app.uploads.resumable.uploads_without_game import find_upload_of_partner, give_game
from tests.app.api.calling import body, refused
from tests.app.uploads.resumable.databases import one_database
from tests.app.uploads.resumable.rows import A_WEEK, age, builds, is_clean, objects, row, set_quota, transfers
from tests.app.uploads.resumable.sending import UPLOADS, Sender, put_parts
from tests.conftest import CAST, Cast
from tests.game_archives import game_archive

EARLY = "/api/partners/uploads"
ARCHIVE = game_archive()
OTHER_FIELDS: dict[str, Any] = {"note": "First light", "versionLabel": "1.0"}


@pytest.fixture
def early(sender: Sender) -> dict[str, Any]:
    """An upload of Starlight without a game, which has every part."""
    return sent_early(sender)


def sent_early(sender: Sender, archive: bytes = ARCHIVE, **fields: Any) -> dict[str, Any]:
    upload: dict[str, Any] = body(begin(sender, len(archive), **fields), 201)
    put_parts(upload, archive)
    return upload


def begin(sender: Sender, size: int, **fields: Any) -> Any:
    return sender.ask("POST", EARLY, json={"fileName": "lanterns.tar.gz", "size": size} | fields)


def give(sender: Sender, upload: dict[str, Any], slug: str = "paper-lanterns") -> Any:
    return sender.ask("POST", f"{EARLY}/{upload['id']}/game", json={"game": slug})


def partner() -> Partner:
    db.session.rollback()
    return db.session.scalars(select(Partner).where(Partner.name == "Starlight Studio")).one()


def actions() -> list[tuple[str, str]]:
    db.session.rollback()
    found = db.session.scalars(select(AuditEntry).where(AuditEntry.action.like("upload.%")))
    return [(entry.action, entry.subject) for entry in found]


def test_it_is_sent_first_and_becomes_a_build_of_the_game_it_is_given(app: Flask, sender: Sender) -> None:
    upload = sent_early(sender, **OTHER_FIELDS)
    assert (upload["game"], upload["phase"]) == (None, "uploading")
    found = body(sender.ask("GET", f"{EARLY}/{upload['id']}"))
    assert (found["receivedBytes"], found["game"]) == (len(ARCHIVE), None)
    assert [one["id"] for one in body(sender.ask("GET", EARLY))["uploads"]] == [upload["id"]]
    assert body(sender.uploads())["uploads"] == []
    message = refused(sender.ask("POST", f"{EARLY}/{upload['id']}/complete"), 409, "no_game")
    assert message == "The upload has no game yet. Register the game, give it the upload, then complete it."

    assert body(give(sender, upload))["game"] == "paper-lanterns"
    assert body(give(sender, upload))["game"] == "paper-lanterns", "a lost answer can be asked for again"
    assert body(sender.ask("GET", EARLY))["uploads"] == []
    assert sender.state(upload["id"])["receivedBytes"] == len(ARCHIVE)
    assert body(sender.ask("POST", f"{EARLY}/{upload['id']}/complete"))["phase"] == "checking"
    assert examine(upload["id"]) is Outcome.DONE
    done = body(sender.ask("GET", f"{EARLY}/{upload['id']}"))
    assert (done["phase"], done["build"], done["released"], done["game"]) == ("done", 1, True, "paper-lanterns")
    assert [(build.note, build.version_label) for build in builds()] == [("First light", "1.0")]
    assert is_clean()


def test_it_may_say_itself_that_its_build_does_not_go_live(app: Flask, sender: Sender) -> None:
    upload = sent_early(sender, release=False)
    body(give(sender, upload))
    body(sender.ask("POST", f"{EARLY}/{upload['id']}/complete"))
    assert examine(upload["id"]) is Outcome.DONE
    assert body(sender.ask("GET", f"{EARLY}/{upload['id']}"))["released"] is False


@one_database
def test_a_key_that_may_not_release_cannot_do_it_by_giving_it_a_game(app: Flask, sender: Sender, cast: Cast) -> None:
    """The game is not known when the upload begins, so its setting is looked at when it is given."""
    owner = db.session.get_one(Partner, cast.starlight.partner_id)
    machine = Sender(sender.client, create_key(owner, "Build machine", ["read", "upload"], CAST)[1])
    asked, quiet = (sent_early(machine, game_archive(seed=seed), release=bool(seed)) for seed in (1, 0))
    body(sender.change(autoRelease=False))
    assert "'write'" in refused(give(machine, asked), 403, "forbidden")
    assert body(sender.ask("GET", f"{EARLY}/{asked['id']}"))["game"] is None, "nothing was changed"
    body(give(machine, quiet))
    body(give(sender, asked))


def test_its_later_game_decides_whether_the_build_goes_live(app: Flask, sender: Sender, early: dict[str, Any]) -> None:
    body(sender.change(autoRelease=False))
    body(give(sender, early))
    body(sender.complete(early["id"]))
    assert examine(early["id"]) is Outcome.DONE
    assert sender.state(early["id"])["released"] is False


def test_a_broken_archive_is_refused_at_its_game(app: Flask, sender: Sender) -> None:
    upload = sent_early(sender, b"not an archive")
    body(give(sender, upload))
    body(sender.complete(upload["id"]))
    assert examine(upload["id"]) is Outcome.FAILED
    assert sender.state(upload["id"])["error"] == "invalid_archive"


@one_database
def test_it_goes_to_one_game_only(sender: Sender, early: dict[str, Any]) -> None:
    body(sender.register(slug="other"), 201)
    body(give(sender, early, "other"))
    refused(give(sender, early), 409, "upload_has_game")
    refused(sender.look(early["id"]), 404, "not_found")
    assert body(sender.ask("GET", f"/api/partners/games/other/uploads/{early['id']}"))["game"] == "other"


@one_database
def test_what_it_cannot_be_given_is_refused(sender: Sender, stranger: Sender, early: dict[str, Any]) -> None:
    body(stranger.register(slug="theirs"), 201)
    for slug in ("unknown", "theirs"):
        refused(give(sender, early, slug), 404, "not_found")
    refused(sender.ask("POST", f"{EARLY}/{early['id']}/game", json={}), 400, "invalid_request")
    refused(give(sender, {"id": "upload_unknown"}), 404, "not_found")
    refused(sender.ask("POST", f"{EARLY}/{early['id']}/parts", json={"partNumbers": [2]}), 400, "invalid_request")
    stored = row(early["id"])
    assert stored is not None
    assert stored.game_id is None


def test_a_game_that_was_deleted_meanwhile_gets_nothing(app: Flask, sender: Sender, early: dict[str, Any]) -> None:
    game = find_game(partner(), "paper-lanterns")
    upload = find_upload_of_partner(partner(), early["id"])
    assert sender.delete().status_code == 204
    with pytest.raises(NotFound):
        give_game(upload, game)
    assert row(early["id"]).game_id is None  # type: ignore[union-attr]  # a missing row fails the test


@one_database
def test_nobody_else_reaches_it(sender: Sender, stranger: Sender, early: dict[str, Any], cast: Cast) -> None:
    path = f"{EARLY}/{early['id']}"
    calls: list[tuple[str, str, dict[str, Any] | None]] = [
        ("GET", path, None),
        ("POST", f"{path}/parts", {"partNumbers": "?"}),
        ("POST", f"{path}/game", {"game": "paper-lanterns"}),
        ("POST", f"{path}/complete", None),
        ("DELETE", path, None),
    ]
    for method, address, json in calls:
        refused(stranger.ask(method, address, json=json), 404, "not_found")
    assert body(stranger.ask("GET", EARLY))["uploads"] == []
    reader = Sender(sender.client, cast.starlight.reader_key)
    for method, address, json in [*calls[1:], ("POST", EARLY, {"fileName": "a.tar.gz", "size": 1})]:
        refused(reader.ask(method, address, json=json), 403, "forbidden")
    assert body(reader.ask("GET", path))["phase"] == "uploading"
    body(give(sender, early))
    refused(stranger.ask("GET", path), 404, "not_found")


def test_its_bytes_count_for_the_quota_until_it_is_cancelled(app: Flask, sender: Sender, stranger: Sender) -> None:
    set_quota(2 * len(ARCHIVE) - 1)
    upload = sent_early(sender)
    assert build_quota(db.session(), partner()).reserved == len(ARCHIVE)
    refused(begin(sender, len(ARCHIVE)), 413, "quota_exceeded")
    refused(sender.begin(ARCHIVE), 413, "quota_exceeded")
    body(stranger.begin(ARCHIVE), 201)

    body(give(sender, upload))
    assert build_quota(db.session(), partner()).reserved == len(ARCHIVE)
    assert sender.ask("DELETE", f"{EARLY}/{upload['id']}").status_code == 204
    assert build_quota(db.session(), partner()).reserved == 0


@one_database
def test_what_breaks_a_rule_is_not_begun(app: Flask, sender: Sender) -> None:
    limit = app.config["SLIPWAY"].max_archive_bytes
    refused(begin(sender, limit + 1), 413, "payload_too_large")
    for fields in ({"fileName": "a/b.tar.gz"}, {"checksum": "x"}, {"partSize": 1}):
        refused(begin(sender, 1000, **fields), 400, "invalid_request")
    assert transfers() == []


def test_cancelled_it_leaves_nothing_but_an_audit_entry(app: Flask, sender: Sender, early: dict[str, Any]) -> None:
    assert sender.ask("DELETE", f"{EARLY}/{early['id']}").status_code == 204
    assert row(early["id"]) is None
    assert actions() == [("upload.cancelled", "lanterns.tar.gz")]
    refused(sender.ask("GET", f"{EARLY}/{early['id']}"), 404, "not_found")
    assert is_clean()


def test_the_log_shows_characters_that_would_turn_its_text(app: Flask, sender: Sender) -> None:
    upload = body(begin(sender, 1000, fileName="lanterns\u202egz.rat"), 201)
    sender.ask("DELETE", f"{EARLY}/{upload['id']}")
    assert actions() == [("upload.cancelled", r"lanterns\u202egz.rat")]


def test_nobody_gives_it_a_game_for_a_week(app: Flask, sender: Sender, early: dict[str, Any]) -> None:
    age(early["id"], A_WEEK)
    assert sweep().uploads == 0, "its part arrived within the week"
    app.config["SLIPWAY"] = app.config["SLIPWAY"].model_copy(update={"upload_lifetime": timedelta(0)})
    age(early["id"], A_WEEK)
    swept = sweep()
    assert (swept.uploads, swept.bytes_freed) == (1, len(ARCHIVE))
    assert actions() == [("upload.expired", "lanterns.tar.gz")]
    refused(give(sender, early), 404, "not_found")
    assert is_clean()


def test_parts_that_storage_lost_end_it(app: Flask, sender: Sender, early: dict[str, Any]) -> None:
    stored = row(early["id"])
    assert stored is not None
    bucket().abort_multipart(stored.object_key, stored.multipart_id or "")
    found = body(sender.ask("GET", f"{EARLY}/{early['id']}"))
    assert (found["phase"], found["error"]) == ("failed", "parts_lost")


def test_it_goes_with_its_partner(app: Flask, sender: Sender, early: dict[str, Any]) -> None:
    close_partner(partner(), CAST)
    sweep(timedelta(0))
    remove_partner(partner(), CAST)
    assert row(early["id"]) is None
    sweep(timedelta(0))
    assert (objects(), transfers()) == ([], [])


@one_database
def test_a_repeated_beginning_is_the_same_upload(sender: Sender) -> None:
    fields = {"fileName": "lanterns.tar.gz", "size": len(ARCHIVE)}
    first, again = (body(sender.ask("POST", EARLY, {"Idempotency-Key": "once"}, json=fields), 201) for _ in range(2))
    assert first["id"] == again["id"]
    put_parts(again, ARCHIVE)


@one_database
@pytest.mark.settings(SLIPWAY_UPLOAD_RATE="2 per hour")
def test_it_is_one_of_the_uploads_of_the_hour(sender: Sender) -> None:
    for _ in range(2):
        body(begin(sender, 1000), 201)
    refused(begin(sender, 1000), 429, "rate_limited")
    assert sender.ask("POST", UPLOADS, json={"fileName": "a.tar.gz", "size": 1000}).status_code == 429
