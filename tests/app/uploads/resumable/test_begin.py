"""POST …/uploads: what is agreed before the first byte."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from sqlalchemy import select

from app.config.settings import Settings
from app.data.extensions import db
from app.data.models.upload import Upload
from app.maintenance.build_sweep import sweep
from tests.app.api.calling import body, refused, shape
from tests.app.uploads.resumable.databases import one_database
from tests.app.uploads.resumable.rows import is_clean, row
from tests.app.uploads.resumable.sending import MIB, UPLOADS, Sender, put
from tests.game_archives import game_archive

GIB = 1024 * MIB

# Arithmetic and storage: nothing here depends on the kind of database.
pytestmark = one_database


def announced(sender: Sender, size: int) -> dict[str, object]:
    found: dict[str, object] = body(
        sender.ask("POST", UPLOADS, json={"fileName": "lanterns.tar.gz", "size": size}), 201
    )
    return found


def test_the_answer_says_all_that_sending_needs(sender: Sender) -> None:
    upload = sender.begun(game_archive(), checksum="A" * 64, note="First light", versionLabel="1.4.2")
    assert shape(upload) == {
        "id": "str",
        "game": "str",
        "fileName": "str",
        "size": "int",
        "partSize": "int",
        "partsCount": "int",
        "phase": "str",
        "receivedBytes": "int",
        "silentSince": "null",
        "checksum": "str",
        "note": "str",
        "versionLabel": "str",
        "sentBy": "str",
        "createdAt": "moment",
        "expiresAt": "moment",
        "check": {"bytesRead": "int", "filesRead": "int"},
        "error": "null",
        "reason": "null",
        "build": "null",
        "released": "null",
        "base": "null",
        "parts": [],
        "unchanged": "bool",
        "warnings": [],
        "urls": [{"partNumber": "int", "url": "str", "size": "int"}],
        "urlsExpireAt": "moment",
    }
    assert (upload["phase"], upload["receivedBytes"], upload["note"]) == ("uploading", 0, "First light")
    assert upload["checksum"] == f"sha256:{'a' * 64}"
    assert upload["sentBy"].startswith("CI · pp_")


def test_it_is_kept_for_a_week(sender: Sender) -> None:
    upload = sender.begun(game_archive())
    kept = datetime.fromisoformat(upload["expiresAt"]) - datetime.now(UTC)
    assert timedelta(days=7) - timedelta(minutes=1) < kept <= timedelta(days=7)


LAYOUTS = [  # size, part size, count, size of the last
    (1, 16 * MIB, 1, 1),
    (16 * MIB, 16 * MIB, 1, 16 * MIB),
    (16 * MIB + 1, 16 * MIB, 2, 1),
    (20 * GIB, 16 * MIB, 1280, 16 * MIB),
    (200 * GIB, 21 * MIB, 9753, 8 * MIB),
]


@pytest.mark.settings(MAX_ARCHIVE_BYTES="200G")
def test_parts_are_equal_but_the_last_and_at_most_ten_thousand(sender: Sender, subtests: pytest.Subtests) -> None:
    for size, part_size, count, last in LAYOUTS:
        with subtests.test(size=size):
            upload = announced(sender, size)
            assert (upload["partSize"], upload["partsCount"]) == (part_size, count)
            urls = upload["urls"]
            assert isinstance(urls, list)
            assert len(urls) == min(count, 100)
            if count > 100:
                urls = body(sender.sign(str(upload["id"]), count))["urls"]
            assert urls[-1]["size"] == last


def test_addresses_are_of_the_public_endpoint_and_sign_the_length(sender: Sender, settings: Settings) -> None:
    (part,) = sender.begun(game_archive())["urls"]
    address = urlsplit(part["url"])
    query = parse_qs(address.query)
    assert f"{address.scheme}://{address.netloc}" == settings.storage_settings.public_endpoint
    assert query["X-Amz-SignedHeaders"] == ["content-length;host"]
    assert int(query["X-Amz-Expires"][0]) <= 3600


@pytest.mark.settings(S3_PUBLIC_ENDPOINT="http://files.slipway.example:9000")
def test_browsers_may_reach_storage_by_another_address(sender: Sender) -> None:
    (part,) = sender.begun(game_archive())["urls"]
    assert part["url"].startswith("http://files.slipway.example:9000/")


def test_answers_with_addresses_are_not_kept_by_anybody(sender: Sender) -> None:
    begun = sender.begin(game_archive())
    signed = sender.sign(body(begun, 201)["id"], 1)
    assert (begun.headers["Cache-Control"], signed.headers["Cache-Control"]) == ("no-store", "no-store")


@pytest.mark.settings(MAX_ARCHIVE_BYTES="1M")
def test_an_archive_over_the_ceiling_is_refused_before_its_first_byte(app: Flask, sender: Sender) -> None:
    body(sender.ask("POST", UPLOADS, json={"fileName": "a.tar.gz", "size": MIB}), 201)
    answer = sender.ask("POST", UPLOADS, json={"fileName": "a.tar.gz", "size": MIB + 1})
    assert "larger than 1 MiB" in refused(answer, 413, "payload_too_large")
    assert len(db.session.scalars(select(Upload)).all()) == 1


BREAKING: list[tuple[dict[str, object], str]] = [  # fields, what the message begins with
    ({"fileName": ""}, "fileName"),
    ({"fileName": "x" * 256}, "fileName"),
    ({"fileName": "../a.tar.gz"}, "fileName"),
    ({"fileName": "a\nb.tar.gz"}, "fileName"),
    ({"fileName": None}, "fileName"),
    ({"size": 0}, "size"),
    ({"size": -1}, "size"),
    ({"size": 2**53}, "size"),
    ({"size": "12"}, "size"),
    ({"size": 1.5}, "size"),
    ({"size": None}, "size"),
    ({"checksum": "abc"}, "checksum"),
    ({"checksum": "md5:" + "a" * 64}, "checksum"),
    ({"note": "x" * 2001}, "note"),
    ({"note": "a\x00b"}, "note"),
    ({"versionLabel": "x" * 101}, "versionLabel"),
    ({"versionLabel": "a\x00b"}, "versionLabel"),
    ({"versionLabel": 1.4}, "versionLabel"),
    ({"release": "yes"}, "release"),
]


def test_fields_that_break_a_rule_are_named(sender: Sender, subtests: pytest.Subtests) -> None:
    for fields, named in BREAKING:
        with subtests.test(fields=fields):
            answer = sender.ask("POST", UPLOADS, json={"fileName": "a.tar.gz", "size": 1000} | fields)
            assert refused(answer, 400, "invalid_request").startswith(named)


def test_a_checksum_may_be_written_either_way(sender: Sender) -> None:
    archive = game_archive()
    written = [sender.begun(archive, checksum=f"{prefix}{'b' * 64}")["checksum"] for prefix in ("", "sha256:")]
    assert written == [f"sha256:{'b' * 64}"] * 2


def test_a_name_in_any_script_is_kept(app: Flask, sender: Sender) -> None:
    upload = sender.begun(game_archive(), file_name="紙の灯籠 1.0 “final”.tar.gz")
    stored = row(upload["id"])
    assert stored is not None
    assert stored.file_name == "紙の灯籠 1.0 “final”.tar.gz"


def test_a_second_upload_of_the_same_file_is_one_of_its_own(sender: Sender) -> None:
    archive = game_archive()
    first, second = sender.begun(archive), sender.begun(archive)
    assert first["id"] != second["id"]
    assert put(second["urls"][0]["url"], archive) == 200
    assert sender.state(first["id"])["parts"] == []


@pytest.mark.settings(
    SLIPWAY_UPLOAD_RATE="2 per hour", SLIPWAY_API_RATE="3 per minute", SLIPWAY_PARTS_RATE="4 per minute"
)
def test_beginning_counts_as_an_upload_and_parts_have_a_limit_of_their_own(sender: Sender) -> None:
    archive = game_archive()  # registering the game was one of the three calls
    uploads = [sender.begun(archive)["id"] for _ in range(2)]
    message = refused(sender.begin(archive), 429, "rate_limited")
    assert "2 uploads per hour" in message
    for _ in range(4):
        body(sender.sign(uploads[0], 1))
    assert "4 part URL requests per minute" in refused(sender.sign(uploads[0], 1), 429, "rate_limited")
    assert [sender.look(uploads[0]).status_code for _ in range(3)] == [200, 200, 429]


def test_storage_that_refuses_costs_no_quota_and_leaves_nothing(app: Flask, sender: Sender) -> None:
    store = app.extensions["slipway_bucket"]
    name, store.name = store.name, "no-such-bucket"
    refused(sender.begin(game_archive()), 503, "service_unavailable")
    assert [upload.reserved_bytes for upload in db.session.scalars(select(Upload))] == [0]
    assert body(sender.uploads())["uploads"] == []
    store.name = name
    sweep()
    assert db.session.scalars(select(Upload)).all() == []
    assert is_clean()


def test_a_repeated_request_opens_one_upload(sender: Sender) -> None:
    request = {"fileName": "lanterns.tar.gz", "size": 1000}
    answers = [sender.ask("POST", UPLOADS, {"Idempotency-Key": "once"}, json=request) for _ in range(2)]
    assert [body(answer, 201)["id"] for answer in answers] == [body(answers[0], 201)["id"]] * 2
    assert body(sender.uploads())["total"] == 1


def test_a_client_on_a_slow_line_may_ask_for_smaller_parts(sender: Sender) -> None:
    ask = {"fileName": "lanterns.tar.gz", "size": 12 * MIB}
    for wanted, used in ((5 * MIB, 5 * MIB), (5 * MIB + 1, 6 * MIB), (64 * MIB, 64 * MIB)):
        upload = body(sender.ask("POST", UPLOADS, json=ask | {"partSize": wanted}), 201)
        assert upload["partSize"] == used
    for wanted in (5 * MIB - 1, 64 * MIB + 1):
        assert sender.ask("POST", UPLOADS, json=ask | {"partSize": wanted}).status_code == 400
