"""Uploads of updates are shown like any other, and the index of a build to those that may read it."""

from __future__ import annotations

import hashlib

import urllib3
from flask import Flask

from slipway.packs.format.index_transfer import IndexReference, decompress_index
from tests.app.api.calling import body, refused
from tests.app.uploads.resumable.databases import one_database
from tests.app.uploads.resumable.sending import Sender
from tests.app.uploads.updates.packed_bases import PackedBase
from tests.conftest import Cast
from tests.game_archives import game_archive

INDEX = "/api/partners/games/paper-lanterns/builds/1/index"


def test_an_update_is_listed_with_its_base(app: Flask, sender: Sender, base: PackedBase) -> None:
    update = sender.sent(base.update_file(script=b"label start:\n"), base=1)
    archive = sender.begun(game_archive(seed=3))
    listed = body(sender.uploads())["uploads"]
    assert [(found["id"], found["phase"], found["base"]) for found in listed] == [
        (archive["id"], "uploading", None),
        (update, "checking", 1),
    ]
    assert listed[1]["fileName"] == "lanterns.tar.gz"


@one_database
def test_a_repeated_begin_is_the_same_update(app: Flask, sender: Sender, base: PackedBase) -> None:
    request = {"fileName": "a.tar.gz", "size": 100, "base": 1}
    path, key = "/api/partners/games/paper-lanterns/uploads", {"Idempotency-Key": "one"}
    first = body(sender.ask("POST", path, json=request, headers=key), 201)
    again = body(sender.ask("POST", path, json=request, headers=key), 201)
    assert (first["id"], first["base"]) == (again["id"], again["base"])


@one_database
def test_the_address_of_an_index_has_the_table_that_updates_need(app: Flask, sender: Sender, base: PackedBase) -> None:
    answer = sender.ask("GET", INDEX)
    found = body(answer)
    assert answer.headers["Cache-Control"] == "no-store"
    frame = urllib3.request("GET", found["url"], retries=False).data
    assert len(frame) == found["bytes"]
    table = decompress_index(frame, IndexReference(found["sha256"], found["size"]))
    assert hashlib.sha256(table).hexdigest() == hashlib.sha256(base.table.encoded).hexdigest()


@one_database
def test_an_index_is_for_readers_of_the_game_only(
    app: Flask, sender: Sender, stranger: Sender, base: PackedBase, cast: Cast
) -> None:
    assert Sender(sender.client, cast.starlight.reader_key).ask("GET", INDEX).status_code == 200
    refused(stranger.ask("GET", INDEX), 404, "not_found")
    sender.published(game_archive(seed=2))
    assert "no pack" in refused(sender.ask("GET", INDEX.replace("/1/", "/2/")), 409, "no_pack")
    refused(sender.ask("GET", INDEX.replace("/1/", "/7/")), 404, "not_found")


@one_database
def test_a_key_that_may_only_read_sends_no_update(app: Flask, sender: Sender, base: PackedBase, cast: Cast) -> None:
    reader = Sender(sender.client, cast.starlight.reader_key)
    refused(reader.begin(b"x" * 100, base=1), 403, "forbidden")
