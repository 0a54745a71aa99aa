"""PUT /api/partners/games/{slug}/upload, as the contract's section 5.5 and DECISIONS 8 have it."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.game import Build
from app.data.models.partner import Partner
from app.data.models.upload import Upload
from app.maintenance.build_sweep import check
from app.storage.bucket import bucket
from tests.conftest import GAME, Cast, bearer
from tests.game_archives import big_archive, game_archive

GAMES = "/api/partners/games"


@pytest.fixture
def key(cast: Cast, client: FlaskClient) -> str:
    """Starlight's key, with one game registered."""
    answer = client.post(GAMES, json=GAME, headers=bearer(cast.starlight.key))
    assert answer.status_code == 201, answer.text
    return cast.starlight.key


def send(client: FlaskClient, key: str, archive: bytes, **headers: str) -> TestResponse:
    return client.put(
        f"{GAMES}/paper-lanterns/upload",
        data=archive,
        headers={"Content-Type": "application/gzip", **bearer(key), **headers},
    )


def nothing_is_left(app: Flask) -> bool:
    """No upload row, no object and no open transfer that belongs to nothing."""
    found = check()
    uploads = db.session.scalars(select(Upload)).all()
    return not (uploads or found.orphans or found.transfers or found.missing or bucket().open_multiparts("archives/"))


def test_the_answer_warns_of_a_build_that_may_not_start(app: Flask, client: FlaskClient, key: str) -> None:
    answer = send(client, key, game_archive(engine=b"#!/bin/sh\n", engine_mode=0o644))
    assert answer.status_code == 200, answer.text
    assert answer.json is not None
    (warning,) = answer.json["warnings"]
    assert "lib/linux-x86_64/engine is a program without an execute bit" in warning
    assert "exit status 126" in warning
    listed = client.get(f"{GAMES}/paper-lanterns/builds", headers=bearer(key)).json
    assert listed is not None
    assert listed["builds"][0]["warnings"] == [warning]
    forecast = client.get(f"{GAMES}/paper-lanterns/releases/preview?build=1", headers=bearer(key)).json
    assert forecast is not None
    assert forecast["warnings"] == [warning]


@pytest.mark.parametrize(
    ("launcher", "mode", "reason"),
    [(b"#!/bin/sh\r\nexec ./x\r\n", 0o755, "CRLF"), (b"", 0o755, "is empty"), (b"#!/bin/sh\n", 0o666, "is not exec")],
)
def test_a_build_that_can_never_start_is_refused(
    app: Flask, client: FlaskClient, key: str, launcher: bytes, mode: int, reason: str
) -> None:
    answer = send(client, key, game_archive(launcher_text=launcher, launcher_mode=mode))
    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["error"] == "invalid_archive"
    assert "The launcher PaperLanterns-1.0/paper-lanterns.sh" in answer.json["message"]
    assert reason in answer.json["message"]
    assert nothing_is_left(app)


def test_an_archive_becomes_a_released_build(app: Flask, client: FlaskClient, key: str) -> None:
    archive = game_archive()

    answer = send(client, key, archive)

    assert answer.status_code == 200, answer.text
    assert answer.json == {
        "status": "ok",
        "slug": "paper-lanterns",
        "size": len(archive),
        "checksum": f"sha256:{hashlib.sha256(archive).hexdigest()}",
        "build": 1,
        "released": True,
        "warnings": [],
    }
    game = client.get(f"{GAMES}/paper-lanterns", headers=bearer(key)).json
    assert game is not None
    assert game["status"] == "active"
    build = db.session.scalars(select(Build)).one()
    assert build.launcher == "paper-lanterns.sh"
    assert build.top_directory == "PaperLanterns-1.0"
    stored = bucket().stat(build.object_key)
    assert stored is not None
    assert stored.size == len(archive)
    assert nothing_is_left(app)


def test_an_archive_of_several_parts_is_stored_byte_for_byte(app: Flask, client: FlaskClient, key: str) -> None:
    archive = big_archive(40 * 1024**2)

    answer = send(client, key, archive)

    assert answer.status_code == 200, answer.text
    build = db.session.scalars(select(Build)).one()
    url = bucket().agent_url(build.object_key, timedelta(minutes=5))
    assert hashlib.sha256(bucket().http.request("GET", url).data).hexdigest() == build.sha256
    assert nothing_is_left(app)


def test_the_same_bytes_again_make_no_new_build(app: Flask, client: FlaskClient, key: str) -> None:
    first = send(client, key, game_archive()).json
    again = send(client, key, game_archive()).json

    assert again == first
    assert len(db.session.scalars(select(Build)).all()) == 1
    assert nothing_is_left(app)


def test_a_refused_archive_leaves_an_audit_row_and_the_earlier_build(app: Flask, client: FlaskClient, key: str) -> None:
    send(client, key, game_archive())

    answer = send(client, key, b"PK\x03\x04 this is a zip")

    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["error"] == "invalid_archive"
    assert "zip" in answer.json["message"].lower()
    assert len(db.session.scalars(select(Build)).all()) == 1
    refused = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "build.refused")).one()
    assert refused.details["code"] == "invalid_archive"
    assert nothing_is_left(app)


def test_an_archive_over_the_quota_is_refused_before_it_is_read(app: Flask, client: FlaskClient, key: str) -> None:
    send(client, key, game_archive(seed=1))
    partner = db.session.scalars(select(Partner).where(Partner.name == "Starlight Studio")).one()
    stored = db.session.scalars(select(Build)).one().size
    partner.build_quota_bytes = stored + 100
    db.session.commit()

    answer = send(client, key, game_archive(seed=2))

    assert answer.status_code == 413
    assert answer.json is not None
    assert answer.json["error"] == "quota_exceeded"
    assert f"{stored + 100:,} B" in answer.json["message"]
    assert len(db.session.scalars(select(Build)).all()) == 1
    assert nothing_is_left(app)
