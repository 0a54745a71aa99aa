"""From the last byte to the verdict: complete, check, publish or refuse, and what is said on the way."""

from __future__ import annotations

import hashlib
import tracemalloc
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from app.accounts.keys import create_key
from app.catalog.build_publishing import publish_build
from app.data.claims import LEASE, ClaimLost
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.game import Game
from app.data.models.partner import Partner
from app.maintenance.build_sweep import sweep
from app.storage.bucket import bucket
from app.uploads.raw.inspection_thread import InspectionThread
from app.uploads.resumable import archive_check
from app.uploads.resumable.archive_check import Outcome, examine, read_archive
from app.uploads.resumable.check_claims import MAX_CHECKS, Heartbeat, claim_check, due_checks, free_claim
from app.uploads.resumable.completion import join_parts
from tests.app.api.calling import body, refused
from tests.app.runtime.processes import wait_until
from tests.app.uploads.resumable.databases import one_database
from tests.app.uploads.resumable.rows import age, builds, is_clean, objects, row
from tests.app.uploads.resumable.sending import MIB, Sender, put, put_parts
from tests.conftest import CAST, Cast
from tests.game_archives import big_archive, game_archive

ARCHIVE = game_archive()


def audit(action: str) -> list[AuditEntry]:
    db.session.rollback()
    return list(db.session.scalars(select(AuditEntry).where(AuditEntry.action == action).order_by(AuditEntry.id)))


def test_completing_again_at_any_time_tells_the_same(app: Flask, sender: Sender) -> None:
    upload = sender.begun(ARCHIVE)
    put_parts(upload, ARCHIVE)
    assert [body(sender.complete(upload["id"]))["phase"] for _ in range(2)] == ["checking", "checking"]
    assert examine(upload["id"]) is Outcome.DONE
    again = body(sender.complete(upload["id"]))
    assert (again["phase"], again["build"], again["released"]) == ("done", 1, True)
    assert again == sender.state(upload["id"])
    assert examine(upload["id"]) is Outcome.NOT_OURS
    assert len(builds()) == 1
    assert is_clean()


def test_the_checksum_may_be_announced_at_the_end(app: Flask, sender: Sender) -> None:
    sha256 = hashlib.sha256(ARCHIVE).hexdigest()
    upload = sender.begun(ARCHIVE)
    put_parts(upload, ARCHIVE)
    refused(sender.complete(upload["id"], **{"X-Checksum-Sha256": "x"}), 400, "invalid_request")
    assert sender.state(upload["id"])["phase"] == "uploading"
    done = body(sender.complete(upload["id"], **{"X-Checksum-Sha256": f"sha256:{sha256.upper()}"}))
    assert (done["phase"], done["checksum"]) == ("checking", f"sha256:{sha256}")
    assert examine(upload["id"]) is Outcome.DONE


def test_a_checksum_at_the_end_is_compared_too(app: Flask, sender: Sender) -> None:
    upload = sender.begun(ARCHIVE)
    put_parts(upload, ARCHIVE)
    body(sender.complete(upload["id"], **{"X-Checksum-Sha256": "0" * 64}))
    assert examine(upload["id"]) is Outcome.FAILED
    assert sender.state(upload["id"])["error"] == "checksum_mismatch"


def test_two_announced_checksums_must_agree(app: Flask, sender: Sender) -> None:
    upload = sender.begun(ARCHIVE, checksum=hashlib.sha256(ARCHIVE).hexdigest())
    put_parts(upload, ARCHIVE)
    message = refused(sender.complete(upload["id"], **{"X-Checksum-Sha256": "0" * 64}), 400, "checksum_mismatch")
    assert "The upload stays open" in message
    assert body(sender.complete(upload["id"]))["phase"] == "checking"


def test_a_done_upload_has_the_warnings_of_its_build(app: Flask, sender: Sender) -> None:
    archive = game_archive(engine=b"#!/bin/sh\n", engine_mode=0o644)
    assert sender.begun(archive)["warnings"] == []
    (warning,) = sender.published(archive)["warnings"]
    assert "engine is a program without an execute bit" in warning
    again = sender.published(archive)
    assert (again["unchanged"], again["warnings"]) == (True, [warning])


def test_a_done_upload_says_so_for_a_week(app: Flask, sender: Sender) -> None:
    upload_id = sender.published(ARCHIVE)["id"]
    age(upload_id, timedelta(days=6, hours=23))
    sweep()
    assert sender.state(upload_id)["build"] == 1
    age(upload_id, timedelta(hours=2))
    sweep()
    assert sender.look(upload_id).status_code == 404
    assert len(builds()) == 1
    assert is_clean()


@one_database
def test_progress_begins_at_nothing_and_ends_with_everything(app: Flask, sender: Sender) -> None:
    upload_id = sender.sent(ARCHIVE)
    assert sender.state(upload_id)["check"] == {"bytesRead": 0, "filesRead": 0}
    examine(upload_id)
    assert sender.state(upload_id)["check"] == {"bytesRead": len(ARCHIVE), "filesRead": builds()[0].members}


def test_a_refused_archive_leaves_its_reason_and_no_bytes(app: Flask, sender: Sender) -> None:
    sender.published(ARCHIVE)
    upload_id = sender.sent(b"PK\x03\x04 this is a zip", file_name="wrong.zip")
    assert examine(upload_id) is Outcome.FAILED
    state = sender.state(upload_id)
    assert (state["phase"], state["error"], state["build"]) == ("failed", "invalid_archive", None)
    assert "zip" in state["reason"]
    assert body(sender.complete(upload_id))["reason"] == state["reason"]
    (entry,) = audit("build.refused")
    assert (entry.details["code"], entry.details["file_name"]) == ("invalid_archive", "wrong.zip")
    assert entry.actor == state["sentBy"]
    assert [build.number for build in builds()] == [1]
    assert is_clean()
    age(upload_id, timedelta(days=7, minutes=1))
    sweep()
    assert sender.look(upload_id).status_code == 404


@one_database
def test_a_failed_upload_reserves_nothing(app: Flask, sender: Sender) -> None:
    upload_id = sender.published(b"not an archive")["id"]
    stored = row(upload_id)
    assert stored is not None
    assert (stored.state, stored.reserved_bytes) == ("failed", 0)


@one_database
def test_the_announced_checksum_must_match(app: Flask, sender: Sender) -> None:
    digest = hashlib.sha256(ARCHIVE).hexdigest()
    wrong = sender.published(ARCHIVE, checksum="0" * 64)
    assert (wrong["phase"], wrong["error"]) == ("failed", "checksum_mismatch")
    assert digest in wrong["reason"]
    assert is_clean()
    right = sender.published(ARCHIVE, checksum=f"sha256:{digest}")
    assert (right["phase"], right["checksum"]) == ("done", f"sha256:{digest}")


def test_the_same_bytes_as_the_newest_build_make_no_new_one(app: Flask, sender: Sender) -> None:
    first, again = sender.published(ARCHIVE), sender.published(ARCHIVE)
    assert (first["build"], again["build"], again["phase"], again["released"]) == (1, 1, "done", True)
    assert len(objects()) == 1
    assert is_clean()


@pytest.mark.parametrize("by_itself", [True, False])
def test_a_build_goes_live_as_the_game_is_set(app: Flask, sender: Sender, by_itself: bool) -> None:
    body(sender.change(autoRelease=by_itself))
    assert sender.published(ARCHIVE)["released"] is by_itself
    assert body(sender.read())["releasedBuild"] == (1 if by_itself else None)


@one_database
def test_an_upload_may_say_otherwise_than_the_game(app: Flask, sender: Sender) -> None:
    assert sender.published(ARCHIVE, release=False)["released"] is False
    body(sender.change(autoRelease=False))
    assert sender.published(game_archive(seed=2), release=True)["released"] is True
    assert body(sender.read())["releasedBuild"] == 2


@one_database
def test_a_key_that_may_not_release_cannot_do_it_by_uploading(app: Flask, sender: Sender, cast: Cast) -> None:
    partner = db.session.get_one(Partner, cast.starlight.partner_id)
    _, secret = create_key(partner, "Build machine", ["read", "upload"], CAST)
    machine = Sender(sender.client, secret)
    body(machine.begin(ARCHIVE, release=True), 201)  # the game would do it anyway
    body(sender.change(autoRelease=False))
    assert "'write'" in refused(machine.begin(ARCHIVE, release=True), 403, "forbidden")
    body(machine.begin(ARCHIVE, release=False), 201)
    body(sender.begin(ARCHIVE, release=True), 201)


@one_database
def test_a_launcher_other_than_the_games_is_refused(app: Flask, sender: Sender) -> None:
    state = sender.published(game_archive("other.sh"))
    assert state["error"] == "invalid_archive"
    assert "paper-lanterns.sh" in state["reason"]


def test_a_game_deleted_meanwhile_gets_no_build(app: Flask, sender: Sender) -> None:
    upload_id, waiting = sender.sent(ARCHIVE), sender.begun(game_archive(seed=2))
    put_parts(waiting, game_archive(seed=2))
    assert sender.delete().status_code == 204
    assert sender.look(upload_id).status_code == 404
    assert examine(upload_id) is Outcome.FAILED
    swept = sweep()
    assert swept.uploads == 2
    assert objects() == []
    sweep()  # nothing of the game is left to wait for
    assert db.session.scalars(select(Game)).all() == []
    assert is_clean()


def test_one_upload_is_checked_by_one_worker(app: Flask, sender: Sender) -> None:
    upload_id = sender.sent(ARCHIVE)
    first = claim_check(upload_id)
    assert first is not None
    assert claim_check(upload_id) is None
    assert due_checks() == []
    assert examine(upload_id) is Outcome.NOT_OURS


def test_a_worker_that_died_is_followed_by_another(app: Flask, sender: Sender) -> None:
    upload_id = sender.sent(ARCHIVE)
    claim_check(upload_id)
    age(upload_id, LEASE / 2)
    assert due_checks() == []
    age(upload_id, LEASE / 2)
    assert due_checks() == [upload_id]
    assert examine(upload_id) is Outcome.DONE


def test_a_worker_that_wakes_up_late_publishes_nothing(app: Flask, sender: Sender) -> None:
    """Frozen for longer than its lease, between reading the archive and publishing it."""
    upload_id = sender.sent(ARCHIVE)
    frozen = claim_check(upload_id)
    assert frozen is not None
    join_parts(frozen)
    received = read_archive(frozen, Heartbeat(app, frozen))
    age(upload_id, LEASE)
    assert claim_check(upload_id) is not None
    with pytest.raises(ClaimLost):
        publish_build(frozen.required_game_id, received, CAST)
    assert builds() == []


def test_a_check_given_back_is_free_at_once_and_was_not_begun_in_vain(app: Flask, sender: Sender) -> None:
    upload_id = sender.sent(ARCHIVE)
    for _ in range(3):
        taken = claim_check(upload_id)
        assert taken is not None
        free_claim(taken)
    stored = row(upload_id)
    assert stored is not None
    assert (stored.checks_begun, stored.checker) == (0, None)
    assert due_checks() == [upload_id]


@one_database
def test_a_check_that_kills_its_worker_each_time_is_given_up(app: Flask, sender: Sender) -> None:
    upload_id = sender.sent(ARCHIVE)
    for _ in range(MAX_CHECKS):
        assert claim_check(upload_id) is not None
        age(upload_id, LEASE)
    assert examine(upload_id) is Outcome.FAILED
    state = sender.state(upload_id)
    assert (state["phase"], state["error"]) == ("failed", "check_failed")
    assert f"{MAX_CHECKS} times" in state["reason"]
    assert is_clean()


@one_database
def test_parts_that_storage_lost_fail_the_upload(app: Flask, sender: Sender) -> None:
    upload = sender.begun(ARCHIVE)
    put_parts(upload, ARCHIVE)
    stored = row(upload["id"])
    assert stored is not None
    bucket().abort_multipart(stored.object_key, stored.multipart_id or "")
    state = sender.state(upload["id"])
    assert (state["phase"], state["error"]) == ("failed", "parts_lost")
    assert "again" in state["reason"]
    assert body(sender.complete(upload["id"]))["phase"] == "failed"


@one_database
def test_an_object_lost_after_its_parts_were_joined_fails_the_upload(app: Flask, sender: Sender) -> None:
    upload_id = sender.sent(ARCHIVE)
    taken = claim_check(upload_id)
    assert taken is not None
    join_parts(taken)
    free_claim(taken)
    bucket().delete([taken.object_key])
    assert examine(upload_id) is Outcome.FAILED
    assert sender.state(upload_id)["error"] == "parts_lost"


@one_database
def test_joining_twice_is_fine(app: Flask, sender: Sender) -> None:
    upload_id = sender.sent(big_archive(20 * MIB))
    taken = claim_check(upload_id)
    assert taken is not None
    join_parts(taken)
    join_parts(taken)
    free_claim(taken)
    assert examine(upload_id) is Outcome.DONE
    assert is_clean()


def test_cancelling_takes_everything_back(app: Flask, sender: Sender) -> None:
    archive = big_archive(20 * MIB)
    upload = sender.begun(archive)
    put_parts(upload, archive, 1)
    assert sender.cancel(upload["id"]).status_code == 204
    assert sender.look(upload["id"]).status_code == 404
    assert sender.cancel(upload["id"]).status_code == 404
    assert put(upload["urls"][1]["url"], archive[16 * MIB :]) == 404
    assert row(upload["id"]) is None
    assert is_clean()
    (entry,) = audit("upload.cancelled")
    assert "lanterns.tar.gz" in entry.subject


def test_cancelling_while_it_is_checked_makes_no_build(app: Flask, sender: Sender) -> None:
    upload_id = sender.sent(ARCHIVE)
    taken = claim_check(upload_id)
    assert taken is not None
    assert sender.cancel(upload_id).status_code == 204
    free_claim(taken)
    assert examine(upload_id) is Outcome.NOT_OURS
    assert builds() == []
    assert is_clean()


@one_database
def test_forgetting_a_done_upload_leaves_its_build(app: Flask, sender: Sender) -> None:
    upload_id = sender.published(ARCHIVE)["id"]
    assert sender.cancel(upload_id).status_code == 204
    assert sender.look(upload_id).status_code == 404
    assert len(builds()) == 1
    assert is_clean()


@one_database
def test_storage_that_does_not_answer_puts_a_check_off(app: Flask, sender: Sender) -> None:
    upload_id = sender.sent(ARCHIVE)
    store = app.extensions["slipway_bucket"]
    name, store.name = store.name, "no-such-bucket"
    assert examine(upload_id) is Outcome.LATER
    store.name = name
    assert sender.state(upload_id)["phase"] == "checking"
    assert due_checks() == [upload_id]
    assert examine(upload_id) is Outcome.DONE


@pytest.mark.slow
@one_database
def test_checking_takes_the_same_memory_however_large_the_archive(
    app: Flask, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FarBehind(InspectionThread):
        """Looks at nothing before the reader is ahead by all it may be."""

        def _run(self) -> None:
            wait_until(self._queue.full, 60, "the reader is ahead")
            super()._run()

    monkeypatch.setattr(archive_check, "InspectionThread", FarBehind)
    peaks = []
    for size in (8 * MIB, 64 * MIB):
        upload_id = sender.sent(big_archive(size, seed=size))
        tracemalloc.start()
        assert examine(upload_id) is Outcome.DONE
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert max(peaks) < 12 * MIB
    assert peaks[1] < peaks[0] + 4 * MIB
