"""A body that does not say its length takes its place in the quota while it arrives."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.accounts.actors import Actor
from app.accounts.build_quota import build_quota
from app.config.settings import MIB
from app.data.database import writing
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.game import Game
from app.data.models.partner import Partner
from app.data.models.upload import Upload
from app.maintenance.build_sweep import sweep
from app.refusals import QuotaExceeded, UploadInterrupted
from app.uploads.raw.archive_receiver import receive_archive
from app.uploads.raw.incoming_body import IncomingBody
from tests.app.uploads.resumable.rows import A_WEEK, age, builds, is_clean, set_quota
from tests.app.uploads.resumable.sending import Sender
from tests.conftest import Cast, bearer
from tests.game_archives import big_archive

SCRIPT = Actor("a script")


class Watched(io.BytesIO):
    """A body that notes, whenever more of it is asked for, how much is reserved and whether a connection is held."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.reserved: list[int] = []
        self.connections_held: list[int] = []

    def read(self, size: int | None = -1) -> bytes:
        self.connections_held.append(db.engine.pool.checkedout())  # type: ignore[attr-defined]  # of a QueuePool
        self.reserved.append(reserved())
        return super().read(size)


def reserved() -> int:
    with db.engine.connect() as connection:
        return int(connection.scalar(select(func.coalesce(func.sum(Upload.reserved_bytes), 0))) or 0)


def partner_named(name: str) -> Partner:
    return db.session.scalars(select(Partner).where(Partner.name == name)).one()


@pytest.fixture
def game_id(app: Flask, sender: Sender) -> str:
    return db.session.scalars(select(Game.id)).one()


def send(game_id: str, stream: io.BytesIO) -> int:
    """Send it as a body without a length; returns the build's size."""
    game = db.session.get_one(Game, game_id)
    return receive_archive(game, IncomingBody(stream, None, 1024 * MIB), SCRIPT).build.size


def test_a_chunked_upload_stops_when_the_quota_is_reached(app: Flask, game_id: str) -> None:
    archive = big_archive(40 * MIB)
    set_quota(5 * MIB)
    stream = Watched(archive)

    with pytest.raises(
        QuotaExceeded, match=r"keep 5 MiB of builds, and 5\.0 MiB are left\. Of this archive 6\.0 MiB arrived"
    ):
        send(game_id, stream)

    assert stream.tell() == 6 * MIB  # the first piece that does not fit is the last that is read
    assert max(stream.reserved) <= 5 * MIB
    assert reserved() == 0
    assert is_clean()
    refused = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "build.refused")).one()
    assert (refused.details["code"], refused.details["bytes"]) == ("quota_exceeded", 6 * MIB)


def test_what_has_arrived_is_reserved_and_no_connection_is_held_meanwhile(app: Flask, game_id: str) -> None:
    archive = big_archive(12 * MIB)
    set_quota(len(archive))  # it fits exactly
    stream = Watched(archive)

    assert send(game_id, stream) == len(archive)

    for number, taken in enumerate(stream.reserved):
        assert min(number * MIB, len(archive)) <= taken <= len(archive)
    assert set(stream.connections_held) == {0}
    assert reserved() == 0
    db.session.rollback()
    assert build_quota(db.session(), partner_named("Starlight Studio")).left == 0
    assert is_clean()


def test_without_a_quota_any_size_is_taken(app: Flask, game_id: str) -> None:
    archive = big_archive(3 * MIB)
    set_quota(None)
    assert send(game_id, Watched(archive)) == len(archive)
    assert reserved() == 0


def test_two_at_once_never_take_more_than_there_is(app: Flask, game_id: str) -> None:
    """Each fits alone; of both together only one does."""
    archives = [big_archive(8 * MIB, seed=seed) for seed in (1, 2)]
    quota = 12 * MIB
    set_quota(quota)
    both_began = threading.Barrier(2)
    seen: list[int] = []

    class Together(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            with suppress(threading.BrokenBarrierError):  # the other one has ended
                both_began.wait(60)
            seen.append(reserved())
            return super().read(size)

    def sent(archive: bytes) -> bool:
        with app.app_context():
            try:
                return bool(send(game_id, Together(archive)))
            except QuotaExceeded:
                return False
            finally:
                both_began.abort()

    with ThreadPoolExecutor(2) as pool:
        taken = list(pool.map(sent, archives))

    assert sum(taken) <= 1
    assert max(seen) <= quota
    assert len(builds()) == sum(taken)
    assert reserved() == 0
    assert is_clean()


def test_an_announced_upload_and_a_chunked_one_share_the_room(app: Flask, game_id: str) -> None:
    archive = big_archive(4 * MIB)
    set_quota(6 * MIB)
    with writing() as session:
        session.add(Upload(game_id=game_id, object_key="archives/other", sent_by="x", reserved_bytes=3 * MIB))

    with pytest.raises(QuotaExceeded, match=r"and 3\.0 MiB are left\. Of this archive 4\.0 MiB arrived"):
        send(game_id, Watched(archive))
    assert reserved() == 3 * MIB


def test_an_upload_that_was_swept_as_dead_is_not_gone_on_with(app: Flask, game_id: str) -> None:
    archive = big_archive(3 * MIB)
    set_quota(100 * MIB)

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() == 0:
                with app.app_context():
                    age(db.session.scalars(select(Upload.id)).one(), A_WEEK)
                    sweep()
            return super().read(size)

    with pytest.raises(UploadInterrupted, match="cancelled meanwhile"):
        send(game_id, Slow(archive))
    assert is_clean()


def test_over_http_the_refusal_names_the_limit(app: Flask, game_id: str, cast: Cast) -> None:
    archive = big_archive(3 * MIB)
    set_quota(MIB)
    answer = app.test_client().put(
        "/api/partners/games/paper-lanterns/upload",
        input_stream=io.BytesIO(archive),
        headers={"Content-Type": "application/gzip", "Transfer-Encoding": "chunked", **bearer(cast.starlight.key)},
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert answer.status_code == 413
    assert answer.json is not None
    assert answer.json["error"] == "quota_exceeded"
    assert "may keep 1 MiB of builds" in answer.json["message"]
    assert "ask the operator" in answer.json["message"]
