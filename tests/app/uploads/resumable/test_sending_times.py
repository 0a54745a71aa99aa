"""When an upload last moved, as its row knows it: from parts in storage, and from addresses that were given."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.data.database import free_connection_keeping_rows, writing
from app.data.extensions import db
from app.data.models.audit_record import Topic
from app.data.models.base import now
from app.data.models.upload import Upload
from app.maintenance.build_sweep import sweep
from app.topics.names import game_topic
from app.uploads.resumable import sending_times
from app.uploads.resumable.sending_times import MAX_SILENCE
from app.uploads.resumable.stopped_uploads import STOPPED_AFTER, stops_at
from tests.app.api.calling import body, refused
from tests.app.uploads.resumable.rows import age, row
from tests.app.uploads.resumable.sending import Sender, put_parts
from tests.game_archives import game_archive

ARCHIVE = game_archive()


def upload_row(upload_id: str) -> Upload:
    found = row(upload_id)
    assert found is not None
    return found


def announced(upload: Upload) -> int:
    """The version of the game's topic."""
    return db.session.scalars(select(Topic.version).where(Topic.name == game_topic(upload.required_game_id))).one()


def test_the_sweep_reads_when_the_last_part_arrived(app: Flask, sender: Sender) -> None:
    upload = sender.begun(ARCHIVE)
    age(upload["id"], timedelta(minutes=30))
    sweep()
    known = upload_row(upload["id"])
    before = announced(known)
    assert stops_at(known) < now() - timedelta(minutes=25), "no part has arrived"
    silent_since = datetime.fromisoformat(sender.state(upload["id"])["silentSince"])
    assert silent_since == known.touched_at.replace(microsecond=0)
    put_parts(upload, ARCHIVE)
    sweep()
    known = upload_row(upload["id"])
    assert stops_at(known) > now()
    assert sender.state(upload["id"])["silentSince"] is None
    assert announced(known) == before + 1, "pages show that it goes on"
    last, known = known.touched_at, upload_row(upload["id"])
    sweep()
    assert upload_row(upload["id"]).touched_at == last
    assert announced(known) == before + 1


def test_an_upload_that_goes_on_is_sent_at_once(app: Flask, sender: Sender) -> None:
    upload_id = sender.begun(ARCHIVE)["id"]
    before = upload_row(upload_id).touched_at
    body(sender.sign(upload_id, 1))
    assert upload_row(upload_id).touched_at == before, "written at most once in a while"
    age(upload_id, timedelta(days=2))
    version = announced(upload_row(upload_id))
    body(sender.sign(upload_id, 1))
    known = upload_row(upload_id)
    assert known.touched_at > now() - STOPPED_AFTER
    assert announced(known) == version + 1


@pytest.mark.parametrize("state", ["done", "discarding", None])
def test_an_upload_that_ends_while_addresses_are_requested_gets_none(
    app: Flask, sender: Sender, monkeypatch: pytest.MonkeyPatch, state: str | None
) -> None:
    upload_id = sender.begun(ARCHIVE)["id"]
    age(upload_id, timedelta(minutes=30))

    def end() -> None:
        with app.app_context(), writing() as session:
            ended = delete(Upload) if state is None else update(Upload).values(state=state, multipart_id=None)
            session.execute(ended.where(Upload.id == upload_id))

    @contextmanager
    def writing_after_it_ended() -> Iterator[Session]:
        free_connection_keeping_rows()
        with ThreadPoolExecutor(1) as other:  # another request
            other.submit(end).result(20)
        with writing() as session:
            yield session

    monkeypatch.setattr(sending_times, "writing", writing_after_it_ended)
    assert refused(sender.sign(upload_id, 1), 409, "upload_closed") == "The upload has ended: it accepts no more parts."


def test_storage_is_not_asked_about_an_upload_that_can_receive_nothing(app: Flask, sender: Sender) -> None:
    upload = sender.begun(ARCHIVE)
    put_parts(upload, ARCHIVE)
    age(upload["id"], MAX_SILENCE)
    before = upload_row(upload["id"]).touched_at
    sweep()
    assert upload_row(upload["id"]).touched_at == before
