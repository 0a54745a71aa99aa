"""PUT /upload word by word: partner-api.md 5.5, DECISIONS 1 and 8. How bytes travel is tested in tests/uploads."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile

import pytest
from sqlalchemy import func, select, update

from app.data.database import writing
from app.data.extensions import db
from app.data.models.game import Build, Game
from app.data.models.upload import Upload
from tests.app.api.calling import Script, body, refused, shape
from tests.game_archives import add_file, game_archive

# Nothing here depends on the kind of database.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ANSWER = {
    "status": "str",
    "slug": "str",
    "size": "int",
    "checksum": "str",
    # Ours beside the documented ones (DECISIONS 8):
    "build": "int",
    "released": "bool",
    "warnings": [],
}


def builds() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(Build)) or 0


def test_the_answer_has_exactly_the_documented_fields_and_three_of_ours(script: Script) -> None:
    script.register()
    archive = game_archive()

    answer = body(script.send(archive))

    assert shape(answer) == ANSWER
    assert (answer["status"], answer["slug"], answer["size"]) == ("ok", "paper-lanterns", len(archive))
    assert answer["checksum"] == f"sha256:{hashlib.sha256(archive).hexdigest()}"


def test_builds_are_numbered_and_the_newest_is_live(script: Script) -> None:
    script.register()

    answers = [body(script.send(game_archive(seed=seed))) for seed in (1, 2)]

    assert [(answer["build"], answer["released"]) for answer in answers] == [(1, True), (2, True)]
    game = body(script.read())
    assert (game["status"], game["releasedBuild"]) == ("active", 2)


def test_a_game_that_stages_keeps_what_is_live(script: Script) -> None:
    script.register(autoRelease=False)

    assert body(script.send(game_archive(seed=1)))["released"] is False
    assert body(script.read())["status"] == "pending_upload"

    script.change(autoRelease=True)
    body(script.send(game_archive(seed=2)))
    script.change(autoRelease=False)
    staged = body(script.send(game_archive(seed=3)))

    assert (staged["build"], staged["released"]) == (3, False)
    assert body(script.read())["releasedBuild"] == 2


def test_an_upload_moves_updated_at(script: Script) -> None:
    script.register()
    with writing() as session:
        session.execute(update(Game).values(updated_at=Game.created_at))
    (before,) = body(script.list())["games"]
    etag = script.list().headers["ETag"]

    body(script.send(game_archive()))

    (after,) = body(script.list({"If-None-Match": etag}))["games"]
    assert (before["status"], after["status"]) == ("pending_upload", "active")
    assert after["updatedAt"] >= before["updatedAt"]
    assert after["createdAt"] == before["createdAt"]


def test_an_archive_is_sent_as_gzip(script: Script, subtests: pytest.Subtests) -> None:
    script.register()
    for kind in ("application/gzip", "application/x-gzip", "application/gzip; charset=binary"):
        with subtests.test(kind=kind):
            body(script.send(game_archive(), **{"Content-Type": kind}))


def test_another_content_type_is_refused_and_leaves_nothing(script: Script, subtests: pytest.Subtests) -> None:
    script.register()
    for kind in (
        "application/json",
        "application/zip",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
        "",
    ):
        with subtests.test(kind=kind):
            message = refused(script.send(game_archive(), **{"Content-Type": kind}), 415, "unsupported_media_type")
            assert "application/gzip" in message

    assert builds() == 0
    assert db.session.scalars(select(Upload)).all() == []


def test_an_announced_checksum_may_be_written_in_each_usual_way(script: Script) -> None:
    script.register()
    archive = game_archive()
    digest = hashlib.sha256(archive).hexdigest()

    answers = [
        body(script.send(archive, **{"X-Checksum-Sha256": said}))
        for said in (digest, digest.upper(), f"sha256:{digest}", f" {digest} ")
    ]

    assert {answer["build"] for answer in answers} == {1}


def test_bytes_that_are_not_the_announced_ones_are_not_kept(script: Script) -> None:
    script.register()
    body(script.send(game_archive(seed=1)))

    message = refused(script.send(game_archive(seed=2), **{"X-Checksum-Sha256": "0" * 64}), 400, "checksum_mismatch")

    assert "0" * 64 in message
    assert hashlib.sha256(game_archive(seed=2)).hexdigest() in message
    assert builds() == 1
    assert body(script.read())["releasedBuild"] == 1


def test_what_is_no_checksum_is_refused_before_the_body_is_read(script: Script, subtests: pytest.Subtests) -> None:
    script.register()
    for said in ("", "abc", "0" * 63, "0" * 65, "g" * 64, "md5:" + "0" * 32):
        with subtests.test(said=said):
            answer = script.send(game_archive(), **{"X-Checksum-Sha256": said})
            assert "X-Checksum-Sha256" in refused(answer, 400, "invalid_request")
    assert builds() == 0


@pytest.mark.settings(MAX_ARCHIVE_BYTES="1000")
def test_more_than_the_ceiling_is_refused_naming_it(script: Script) -> None:
    script.register()

    message = refused(script.send(b"\x1f\x8b" + b"x" * 999), 413, "payload_too_large")

    assert "1,000 B" in message
    assert "MAX_ARCHIVE_BYTES" in message
    refused(script.send(b"\x1f\x8b" + b"x" * 998), 400, "invalid_archive")


def test_the_launcher_must_be_in_the_archive(script: Script) -> None:
    script.register(launcher="start.sh")

    assert "start.sh" in refused(script.send(game_archive()), 400, "invalid_archive")

    script.change(launcher="paper-lanterns.sh")
    body(script.send(game_archive()))


def test_a_game_without_a_launcher_takes_the_archives_only_one(script: Script) -> None:
    script.register()
    with writing() as session:  # as POST /api/v1/games makes them
        session.execute(update(Game).values(launcher=None, renpy_dir=None, description="", tags=[]))
    assert body(script.read())["launcher"] == ""

    body(script.send(game_archive("only.sh")))

    db.session.rollback()
    assert db.session.scalars(select(Build.launcher)).one() == "only.sh"


def test_a_game_without_a_launcher_is_told_which_ones_there_are(script: Script) -> None:
    script.register()
    with writing() as session:
        session.execute(update(Game).values(launcher=None))

    message = refused(script.send(two_launchers()), 400, "invalid_archive")

    assert "first.sh" in message
    assert "second.sh" in message
    assert builds() == 0


def two_launchers() -> bytes:
    unpacked = io.BytesIO()
    with tarfile.open(fileobj=unpacked, mode="w") as tar:
        add_file(tar, "Game/first.sh", b"#!/bin/sh\n", 0o755)
        add_file(tar, "Game/second.sh", b"#!/bin/sh\n", 0o755)
        add_file(tar, "Game/game/script.rpy", b"label start:\n")
        add_file(tar, "Game/lib/linux-x86_64/engine", b"x", 0o755)
        add_file(tar, "Game/renpy/version.txt", b"8")
    return gzip.compress(unpacked.getvalue(), mtime=0)
