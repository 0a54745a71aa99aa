"""Which uploads are shown, what of them, and to whom."""

from __future__ import annotations

from flask import Flask

from tests.app.api.calling import body, refused
from tests.app.uploads.resumable.databases import one_database
from tests.app.uploads.resumable.rows import change
from tests.app.uploads.resumable.sending import UPLOADS, Sender, put_parts
from tests.conftest import Cast
from tests.game_archives import game_archive

ARCHIVE = game_archive()


def test_the_list_has_what_is_open_newest_first(app: Flask, sender: Sender) -> None:
    done = sender.published(ARCHIVE)["id"]
    failed = sender.published(b"not an archive")["id"]
    checking = sender.sent(game_archive(seed=2))
    uploading = sender.begun(game_archive(seed=3))
    put_parts(uploading, game_archive(seed=3))
    found = body(sender.uploads())
    assert [upload["id"] for upload in found["uploads"]] == [uploading["id"], checking, failed]
    assert [upload["phase"] for upload in found["uploads"]] == ["uploading", "checking", "failed"]
    assert found["uploads"][0]["receivedBytes"] == uploading["size"]
    assert found["total"] == 3
    assert [upload["id"] for upload in body(sender.uploads(phase="done"))["uploads"]] == [done]
    refused(sender.uploads(phase="gone"), 400, "invalid_request")


@one_database
def test_the_list_says_what_it_knows_when_storage_does_not_answer(app: Flask, sender: Sender) -> None:
    uploading, failed = sender.begun(ARCHIVE), sender.published(b"not an archive")["id"]
    store = app.extensions["slipway_bucket"]
    name, store.name = store.name, "no-such-bucket"
    found = {upload["id"]: upload["receivedBytes"] for upload in body(sender.uploads())["uploads"]}
    refused(sender.look(uploading["id"]), 503, "service_unavailable")
    refused(sender.complete(uploading["id"]), 503, "service_unavailable")
    store.name = name
    assert found == {uploading["id"]: None, failed: len(b"not an archive")}


@one_database
def test_uploads_of_others_are_not_there(sender: Sender, stranger: Sender) -> None:
    upload = sender.begun(ARCHIVE)
    for answer in (
        stranger.look(upload["id"]),
        stranger.sign(upload["id"], 1),
        stranger.ask("POST", f"{UPLOADS}/{upload['id']}/parts", json={"partNumbers": "?"}),
        stranger.complete(upload["id"]),
        stranger.cancel(upload["id"]),
    ):
        refused(answer, 404, "not_found")
    assert body(stranger.uploads())["uploads"] == []
    assert sender.state(upload["id"])["phase"] == "uploading"


@one_database
def test_uploads_of_another_game_are_not_there(sender: Sender) -> None:
    upload = sender.begun(ARCHIVE)
    body(sender.register(slug="other"), 201)
    refused(sender.ask("GET", f"/api/partners/games/other/uploads/{upload['id']}"), 404, "not_found")


@one_database
def test_a_raw_upload_is_not_shown_here(app: Flask, sender: Sender) -> None:
    upload_id = sender.begun(ARCHIVE)["id"]
    change(upload_id, kind="raw")
    refused(sender.look(upload_id), 404, "not_found")
    assert body(sender.uploads())["uploads"] == []


@one_database
def test_a_key_that_may_only_read_looks_and_changes_nothing(sender: Sender, cast: Cast) -> None:
    upload = sender.begun(ARCHIVE)
    reader = Sender(sender.client, cast.starlight.reader_key)
    assert reader.look(upload["id"]).status_code == 200
    assert reader.uploads().status_code == 200
    for answer in (
        reader.begin(ARCHIVE),
        reader.sign(upload["id"], 1),
        reader.complete(upload["id"]),
        reader.cancel(upload["id"]),
    ):
        refused(answer, 403, "forbidden")
