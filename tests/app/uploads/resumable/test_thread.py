"""From the first call to a released build."""

from __future__ import annotations

import hashlib

from flask import Flask
from sqlalchemy import select

from app.data.extensions import db
from app.data.models.game import Build
from app.storage.bucket import bucket
from app.uploads.resumable.archive_check import Outcome, examine
from tests.app.api.calling import body
from tests.app.uploads.resumable.sending import MIB, Sender, put_parts
from tests.game_archives import big_archive, game_archive


def test_an_archive_sent_in_parts_becomes_a_released_build(app: Flask, sender: Sender) -> None:
    archive = big_archive(40 * MIB)
    upload = sender.begun(archive, note="The festival")
    assert (upload["phase"], upload["partsCount"], len(upload["urls"])) == ("uploading", 3, 3)

    put_parts(upload, archive)
    completed = body(sender.complete(upload["id"]))

    assert completed["phase"] == "checking"
    assert examine(upload["id"]) is Outcome.DONE
    done = sender.state(upload["id"])
    assert (done["phase"], done["build"], done["released"]) == ("done", 1, True)
    build = db.session.scalars(select(Build)).one()
    assert (build.size, build.sha256) == (len(archive), hashlib.sha256(archive).hexdigest())
    assert (build.note, build.file_name) == ("The festival", "lanterns.tar.gz")
    stored = bucket().stat(build.object_key)
    assert stored is not None
    assert stored.size == len(archive)
    assert sender.read().json["status"] == "active"  # type: ignore[index]  # a JSON object


def test_a_small_archive_is_one_part(app: Flask, sender: Sender) -> None:
    archive = game_archive()
    done = sender.published(archive)
    assert (done["phase"], done["partsCount"], done["check"]["bytesRead"]) == ("done", 1, len(archive))
