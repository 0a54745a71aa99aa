"""Uploads that nobody continues are removed a week after their last part, with all their bytes."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask
from sqlalchemy import select, update

from app.data.database import writing
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.base import now
from app.data.models.upload import Upload
from app.maintenance.build_sweep import STALE_UPLOAD_AGE, sweep
from app.uploads.resumable.check_claims import claim_check
from tests.app.api.calling import body, refused
from tests.app.uploads.resumable.rows import A_WEEK, age, builds, change, is_clean, objects, row
from tests.app.uploads.resumable.sending import MIB, Sender, put_parts
from tests.game_archives import big_archive, game_archive

ARCHIVE = game_archive()


def test_an_upload_without_parts_is_kept_for_a_week(app: Flask, sender: Sender) -> None:
    upload_id = sender.begun(ARCHIVE)["id"]
    age(upload_id, timedelta(days=6, hours=23))
    assert sweep().uploads == 0
    age(upload_id, timedelta(hours=2))
    swept = sweep()
    assert (swept.uploads, swept.bytes_freed) == (1, 0)
    refused(sender.look(upload_id), 404, "not_found")
    assert is_clean()


def test_a_part_that_arrived_within_the_week_keeps_it(app: Flask, sender: Sender) -> None:
    upload = sender.begun(ARCHIVE)
    put_parts(upload, ARCHIVE)
    age(upload["id"], A_WEEK)  # the row is old, the part is not: only the storage knows
    assert sweep().uploads == 0
    stored = row(upload["id"])
    assert stored is not None
    assert stored.expires_at is not None
    assert timedelta(days=6, hours=23) < stored.expires_at - now() <= timedelta(days=7)
    assert body(sender.complete(upload["id"]))["phase"] == "checking"


def test_what_is_removed_is_reported_in_bytes_and_in_the_audit_log(app: Flask, sender: Sender) -> None:
    archive = big_archive(20 * MIB)
    upload = sender.begun(archive)
    put_parts(upload, archive, 1)
    age(upload["id"], A_WEEK)
    # Nobody can make a part older than it is: the week is made shorter.
    app.config["SLIPWAY"] = app.config["SLIPWAY"].model_copy(update={"upload_lifetime": timedelta(0)})
    swept = sweep()
    assert (swept.uploads, swept.bytes_freed) == (1, 16 * MIB)
    db.session.rollback()
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "upload.expired")).one()
    assert (entry.actor, entry.details) == ("sweep", {"bytes": 16 * MIB, "of": len(archive)})
    assert is_clean()


def test_the_rule_of_the_raw_door_does_not_touch_resumable_ones(app: Flask, sender: Sender) -> None:
    uploading, checking = sender.begun(ARCHIVE)["id"], sender.sent(game_archive(seed=2))
    for upload_id in (uploading, checking):
        age(upload_id, 6 * STALE_UPLOAD_AGE)
    assert sweep().uploads == 0
    assert [sender.state(upload_id)["phase"] for upload_id in (uploading, checking)] == ["uploading", "checking"]


def test_an_upload_that_waits_for_its_check_does_not_expire(app: Flask, sender: Sender) -> None:
    upload_id = sender.sent(ARCHIVE)
    age(upload_id, 3 * A_WEEK)
    assert sweep().uploads == 0
    assert sender.state(upload_id)["expiresAt"] is None


def test_one_that_was_never_opened_goes_after_ten_minutes(app: Flask, sender: Sender) -> None:
    upload_id = sender.begun(ARCHIVE)["id"]
    change(upload_id, multipart_id=None)  # as a process leaves it that dies before it notes its transfer
    assert sweep().uploads == 0
    age(upload_id, timedelta(minutes=11))
    assert sweep().uploads == 1
    assert is_clean()


def test_bytes_that_a_dead_worker_left_are_removed(app: Flask, sender: Sender) -> None:
    """It died after its verdict, before it tidied up: a refusal, and bytes that were a build's already."""
    refused_id = sender.sent(b"not an archive")
    same_id = sender.sent(ARCHIVE)
    for upload_id, state in ((refused_id, "failed"), (same_id, "done")):
        taken = claim_check(upload_id)
        assert taken is not None
        change(upload_id, state=state, checker=None, expires_at=now() + timedelta(days=7))
    assert sweep().bytes_freed == len(b"not an archive") + len(ARCHIVE)
    assert [upload.reserved_bytes for upload in uploads()] == [0, 0]
    assert is_clean()


def uploads() -> list[Upload]:
    db.session.rollback()
    return list(db.session.scalars(select(Upload)))


def test_the_object_of_a_deleted_build_goes_though_its_upload_is_remembered(app: Flask, sender: Sender) -> None:
    sender.published(ARCHIVE)
    sender.published(game_archive(seed=2))
    store = app.extensions["slipway_bucket"]
    name, store.name = store.name, "no-such-bucket"
    assert sender.ask("DELETE", "/api/partners/games/paper-lanterns/builds/1").status_code == 204
    store.name = name
    assert len(objects()) == 2
    assert sweep(young=timedelta(0)).objects == 1
    assert (len(objects()), len(builds()), len(uploads())) == (1, 1, 2)


def test_a_sweep_beside_an_upload_takes_nothing_of_it(app: Flask, sender: Sender) -> None:
    upload_id = sender.sent(ARCHIVE)
    with writing() as session:
        session.execute(update(Upload).values(touched_at=now() - A_WEEK))
    swept = sweep(young=timedelta(0))
    assert (swept.uploads, swept.objects) == (0, 0)
    assert sender.state(upload_id)["phase"] == "checking"
