"""Parts: signed, sent, listed, and refused when they are not what was agreed."""

from __future__ import annotations

import random
import socket
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import pytest
from flask import Flask

from app.storage.bucket import bucket
from app.storage.url_signing import presign
from app.uploads.resumable.archive_check import Outcome, examine
from tests.app.api.calling import body, refused
from tests.app.uploads.resumable.databases import one_database
from tests.app.uploads.resumable.rows import builds, is_clean, row
from tests.app.uploads.resumable.sending import MIB, UPLOADS, Sender, cut, put, put_all, put_parts
from tests.game_archives import big_archive, game_archive

# Storage does the work here: nothing depends on the kind of database.
pytestmark = one_database

BIG = big_archive(40 * MIB)  # three parts


def test_the_parts_that_arrived_are_asked_of_the_storage(sender: Sender) -> None:
    upload = sender.begun(BIG)
    put_parts(upload, BIG, 3, 1)
    state = sender.state(upload["id"])
    assert [(part["partNumber"], part["size"]) for part in state["parts"]] == [
        (1, 16 * MIB),
        (3, len(BIG) - 32 * MIB),
    ]
    assert all(part["etag"] for part in state["parts"])
    assert state["receivedBytes"] == len(BIG) - 16 * MIB
    assert state["phase"] == "uploading"


def test_an_upload_expires_a_week_after_the_last_part_that_arrived(app: Flask, sender: Sender) -> None:
    upload = sender.begun(BIG)
    put_parts(upload, BIG, 2)
    stored = row(upload["id"])
    assert stored is not None
    (part,) = bucket().parts(stored.object_key, stored.multipart_id or "") or []
    expires_at = datetime.fromisoformat(sender.state(upload["id"])["expiresAt"])
    assert expires_at == max(stored.expires_at or part.modified, part.modified + timedelta(days=7)).replace(
        microsecond=0
    )


def test_a_part_of_another_length_is_refused_by_storage(sender: Sender) -> None:
    upload = sender.begun(BIG)
    data = cut(upload, BIG, 1)
    for wrong in (data[:-1], data + b"x", data + bytes(1000), b""):
        assert put(upload["urls"][0]["url"], wrong) == 403
    assert sender.state(upload["id"])["parts"] == []


def test_a_part_cut_off_in_the_middle_is_not_there(sender: Sender) -> None:
    upload = sender.begun(BIG)
    address = urlsplit(upload["urls"][0]["url"])
    with socket.create_connection((address.hostname or "", address.port or 80), timeout=10) as connection:
        head = [
            f"PUT {address.path}?{address.query} HTTP/1.1",
            f"Host: {address.netloc}",
            f"Content-Length: {16 * MIB}",
        ]
        connection.sendall("\r\n".join([*head, "", ""]).encode() + BIG[: 5 * MIB])
        connection.shutdown(socket.SHUT_WR)
        said = connection.recv(1000)  # storage has noticed
    assert b" 200 " not in said
    assert sender.state(upload["id"])["parts"] == []


def test_parts_in_any_order_and_sent_twice_make_the_same_build(app: Flask, sender: Sender) -> None:
    upload = sender.begun(BIG)
    order = [1, 2, 3, 2, 1, 3]
    random.Random(5).shuffle(order)
    for number in order:
        put_parts(upload, BIG, number)
    body(sender.complete(upload["id"]))
    assert examine(upload["id"]) is Outcome.DONE
    (build,) = builds()
    assert build.size == len(BIG)
    assert is_clean()


def test_a_part_sent_again_with_other_bytes_counts_as_sent_last(app: Flask, sender: Sender) -> None:
    upload = sender.begun(BIG)
    assert put(upload["urls"][0]["url"], bytes(16 * MIB)) == 200
    put_parts(upload, BIG)
    body(sender.complete(upload["id"]))
    assert examine(upload["id"]) is Outcome.DONE


def test_wrong_bytes_of_the_right_length_never_become_a_build(app: Flask, sender: Sender) -> None:
    upload = sender.begun(BIG)
    put_parts(upload, BIG, 1, 3)
    assert put(upload["urls"][1]["url"], bytes(16 * MIB)) == 200
    body(sender.complete(upload["id"]))
    assert examine(upload["id"]) is Outcome.FAILED
    assert sender.state(upload["id"])["error"] == "invalid_archive"
    assert builds() == []
    assert is_clean()


def test_an_address_takes_nothing_once_the_upload_is_complete(app: Flask, sender: Sender) -> None:
    archive = game_archive()
    upload = sender.begun(archive)
    put_parts(upload, archive)
    body(sender.complete(upload["id"]))
    examine(upload["id"])
    assert put(upload["urls"][0]["url"], archive) == 404
    assert put(upload["urls"][0]["url"], bytes(len(archive))) == 404


def test_an_address_is_for_one_part_only(sender: Sender) -> None:
    upload = sender.begun(BIG)
    url = upload["urls"][0]["url"].replace("partNumber=1", "partNumber=2")
    assert put(url, cut(upload, BIG, 2)) == 403


@pytest.mark.settings(MAX_ARCHIVE_BYTES="20G")
def test_a_hundred_parts_are_signed_in_a_call(sender: Sender) -> None:
    upload = body(sender.ask("POST", UPLOADS, json={"fileName": "a.tar.gz", "size": 4 * 1024 * MIB}), 201)
    assert upload["partsCount"] == 256
    assert [part["partNumber"] for part in upload["urls"]] == list(range(1, 101))
    more = body(sender.sign(upload["id"], *range(101, 201)))["urls"]
    assert [part["partNumber"] for part in more] == list(range(101, 201))
    assert "at most 100" in refused(sender.sign(upload["id"], *range(101, 202)), 400, "invalid_request")


def test_part_numbers_that_are_not_the_uploads_are_refused(sender: Sender, subtests: pytest.Subtests) -> None:
    upload = sender.begun(BIG)
    strange: list[object] = [[], [0], [4], [1, 2, 3, 4], [-1], ["1"], [1.5], [10_001], "1", None]
    for numbers in strange:
        with subtests.test(numbers=numbers):
            answer = sender.ask("POST", f"{UPLOADS}/{upload['id']}/parts", json={"partNumbers": numbers})
            assert "part" in refused(answer, 400, "invalid_request")


def test_a_part_named_twice_is_signed_once(sender: Sender) -> None:
    upload = sender.begun(BIG)
    assert [part["partNumber"] for part in body(sender.sign(upload["id"], 2, 2, 1))["urls"]] == [2, 1]


def test_an_upload_that_was_completed_signs_no_more(sender: Sender) -> None:
    archive = game_archive()
    upload_id = sender.sent(archive)
    assert "checking" in refused(sender.sign(upload_id, 1), 409, "upload_closed")


def test_missing_parts_are_named_and_the_upload_goes_on(app: Flask, sender: Sender) -> None:
    upload = sender.begun(BIG)
    put_parts(upload, BIG, 2)
    message = refused(sender.complete(upload["id"]), 409, "parts_missing")
    assert message.startswith("Parts 1 and 3 have not arrived")
    put_parts(upload, BIG, 1)
    assert refused(sender.complete(upload["id"]), 409, "parts_missing").startswith("Part 3 has not arrived")
    put_parts(upload, BIG, 3)
    assert body(sender.complete(upload["id"]))["phase"] == "checking"


@pytest.mark.parametrize("wrong", [-1, 1])
def test_a_part_of_a_wrong_size_is_named_where_storage_took_it(app: Flask, sender: Sender, wrong: int) -> None:
    """A store that does not hold clients to the signed length: the part is put with a signature that lacks it."""
    upload = sender.begun(BIG)
    put_parts(upload, BIG, 1, 3)
    stored = row(upload["id"])
    assert stored is not None
    where = app.config["SLIPWAY"].storage_settings
    query = {"uploadId": stored.multipart_id or "", "partNumber": "2"}
    data = (cut(upload, BIG, 2) + b"x")[: 16 * MIB + wrong]
    assert put(presign(where, "PUT", stored.object_key, query, timedelta(minutes=5)), data) == 200
    message = refused(sender.complete(upload["id"]), 400, "invalid_request")
    assert message.startswith("Part 2 of 3 has ")
    assert "16,777,216" in message
    put_parts(upload, BIG, 2)
    assert body(sender.complete(upload["id"]))["phase"] == "checking"


def test_parts_beyond_the_last_are_left_out(app: Flask, sender: Sender) -> None:
    upload = sender.begun(BIG)
    put_parts(upload, BIG)
    stored = row(upload["id"])
    assert stored is not None
    where = app.config["SLIPWAY"].storage_settings
    query = {"uploadId": stored.multipart_id or "", "partNumber": "4"}
    assert put(presign(where, "PUT", stored.object_key, query, timedelta(minutes=5)), b"more") == 200
    assert sender.state(upload["id"])["receivedBytes"] == len(BIG)
    body(sender.complete(upload["id"]))
    assert examine(upload["id"]) is Outcome.DONE
    assert builds()[0].size == len(BIG)


def test_addresses_can_be_had_again_for_what_is_missing(app: Flask, sender: Sender) -> None:
    upload = sender.begun(BIG)
    put_all(sender, upload, BIG)
    body(sender.complete(upload["id"]))
    assert examine(upload["id"]) is Outcome.DONE
