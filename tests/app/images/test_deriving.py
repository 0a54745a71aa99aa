"""Sizes are made by workers: on their own, once, again after a crash, and not while the app stops."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import update

from app.config.settings import Settings
from app.data.database import writing
from app.data.extensions import db
from app.data.models.asset import Blob, BlobVariant
from app.data.models.base import now
from app.images import derivation_lease
from app.images import variant_jobs as deriving_module
from app.images.derivation_lease import HEARTBEAT_SECONDS, LEASE
from app.images.image_processes import DerivedImage, ImageProcesses, ImageRefused
from app.images.variant_jobs import abandoned_derivations, derive, due_derivations
from app.maintenance.image_check import check_assets
from app.runtime.image_watch import WATCH_SECONDS, ImageWatch
from app.runtime.jobs import jobs
from app.storage.bucket import bucket
from app.storage.objects import write_object
from tests.app.api.v1.calling import Studio, answered, refused
from tests.app.api.v1.test_components import CARD, face, save
from tests.app.images.images import picture, saved
from tests.app.images.test_processes import decoders, newest
from tests.app.runtime.processes import is_alive, wait_until
from tests.conftest import ROOT
from tests.running_workers import running_workers

DATA = picture(300, 420)


def blob() -> Blob:
    db.session.rollback()
    return db.session.query(Blob).one()


@pytest.fixture
def workers(app: Flask) -> Iterator[None]:
    """The workers of the app, as `make run` has them."""
    with running_workers(app):
        yield


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Iterator[ImageProcesses]:
    """Image processes of this test's own, to be stopped."""
    own = ImageProcesses("testing", 2, seconds=30)
    monkeypatch.setattr(deriving_module, "derivation_processes", own)
    yield own
    own.stop()


@pytest.mark.settings(ASSET_DERIVE_WAIT="60")  # a busy machine needs more than the default
def test_a_component_call_waits_for_the_sizes_of_its_image(studio: Studio, workers: None) -> None:
    image = studio.upload(DATA)
    front = save(studio, assets=[face(image)])["payload"]["imageFaces"]["front"]
    assert front["derivation"] == "ready"
    assert len(front["variants"]) == 3


def test_the_same_work_twice_at_once_is_done_once(app: Flask, studio: Studio) -> None:
    studio.upload(DATA)
    (blob_id,) = due_derivations(db.session())
    begun: list[str] = []

    def work(_: int) -> None:
        with app.app_context():
            derive(blob_id)
            db.session.remove()

    class Counting(ImageProcesses):
        def derive(self, path: Path) -> object:  # type: ignore[override]  # only counts
            begun.append(str(path))
            return super().derive(path)

    own = Counting("testing", 2, seconds=30)
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(4) as pool:
        patch.setattr(deriving_module, "derivation_processes", own)
        list(pool.map(work, range(4)))
    own.stop()

    assert len(begun) == 1
    assert blob().derivation == "ready"
    assert len(db.session.query(BlobVariant).all()) == 2


def test_an_image_of_which_no_sizes_can_be_made_fails_and_leaves_the_component_alone(studio: Studio) -> None:
    good, bad = studio.upload(DATA), studio.upload(picture(seed=2))
    before = save(studio, assets=[face(good)])
    spoil(bad["key"])
    for blob_id in due_derivations(db.session()):
        derive(blob_id)

    single = studio.at("POST", "/components", json=CARD | {"name": "New", "assets": [face(bad)]})
    batch = {"components": [CARD | {"name": "New"}, CARD | {"assets": [face(bad, "back")]}]}

    message = refused(single, 400, "DERIVATION_FAILED")
    assert "front" in message
    message = refused(studio.at("POST", "/components/batch", json=batch), 400, "DERIVATION_FAILED")
    assert "components[1]" in message
    assert "back" in message
    (after,) = answered(studio.at("GET", "/components"))["components"]
    assert {name: after[name] for name in after if name != "payload"} == {
        name: before[name] for name in before if name != "payload"
    }
    assert list(after["payload"]["imageFaces"]) == ["front"]
    assert after["payload"]["imageFaces"]["front"]["sourceUrl"] == good["publicUrl"]


def spoil(key: str) -> None:
    """Storage loses some of the bytes, as a failing disk does."""
    spoiled = b"\x89PNG\r\n\x1a\nspoiled"
    md5 = hashlib.md5(spoiled, usedforsecurity=False).digest()
    write_object(key, io.BytesIO(spoiled), len(spoiled), md5, {"Content-Type": "image/png"})


def test_stopping_gives_the_work_back_at_once(app: Flask, studio: Studio, processes: ImageProcesses) -> None:
    studio.upload(saved(Image.effect_noise((2000, 2000), 60), "PNG", compress_level=1))
    (blob_id,) = due_derivations(db.session())

    def work() -> None:
        with app.app_context():
            derive(blob_id)
            db.session.remove()

    with ThreadPoolExecutor(1) as pool:
        running_workers = pool.submit(work)
        wait_until(lambda: blob().derive_attempts == 1 and processes._busy == 1, 20, "a child is at work")
        processes.stop()
        running_workers.result(30)

    found = blob()
    assert (found.derivation, found.derive_attempts) == ("pending", 0)
    assert list(due_derivations(db.session())) == [blob_id]


def test_an_image_whose_job_is_lost_is_queued_again(app: Flask, studio: Studio) -> None:
    studio.upload(DATA)
    jobs(app).images.flush()

    with running_workers(app):
        wait_until(lambda: blob().derivation == "ready", 30, "the sizes are made")
    assert not check_assets().missing


def test_the_image_of_a_killed_worker_is_tried_again_within_seconds(app: Flask, studio: Studio) -> None:
    """Half of the 30 seconds is left for the attempt."""
    assert LEASE.total_seconds() + WATCH_SECONDS <= 15
    assert LEASE.total_seconds() >= 4 * HEARTBEAT_SECONDS
    studio.upload(DATA)
    with writing() as session:  # a worker began, and was killed; the rest of its lease is short
        session.execute(update(Blob).values(derive_attempts=1, derive_at=now() + timedelta(seconds=4)))
    jobs(app).images.flush()  # its job ended with it
    assert list(due_derivations(db.session())) == []
    assert list(abandoned_derivations(db.session())) == []

    with running_workers(app):
        wait_until(lambda: blob().derivation == "ready", 60, "the sizes are made")
    assert blob().derive_attempts == 2
    assert not check_assets().missing


def test_an_abandoned_image_does_not_wait_behind_the_queue(app: Flask, studio: Studio) -> None:
    studio.upload(DATA)
    with writing() as session:
        session.execute(update(Blob).values(derive_attempts=1))
    queue = jobs(app).images
    queue.flush()
    watch = ImageWatch(app, lambda: False, lambda _: pytest.fail("it is queued behind the others"))

    watch.start()
    try:
        wait_until(lambda: blob().derivation == "ready", 60, "the sizes are made")
    finally:
        watch.stop()
        watch.wait(20)


def test_a_slow_worker_keeps_its_lease(app: Flask, studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    studio.upload(DATA)
    monkeypatch.setattr(derivation_lease, "HEARTBEAT_SECONDS", 0.1)
    go_on = threading.Event()
    store = deriving_module._store

    def slow(*work: Any) -> list[str]:
        assert go_on.wait(60)
        return store(*work)

    monkeypatch.setattr(deriving_module, "_store", slow)
    blob_id = blob().id

    def work() -> None:
        with app.app_context():
            derive(blob_id)
            db.session.remove()

    with ThreadPoolExecutor(1) as pool:
        worker = pool.submit(work)
        wait_until(lambda: blob().derive_attempts == 1, 60, "it has begun")
        first = blob().derive_at
        wait_until(lambda: blob().derive_at > first, 60, "the lease is extended")
        go_on.set()
        worker.result(60)
    assert (blob().derivation, blob().derive_attempts) == ("ready", 1)


def test_a_worker_that_lost_its_lease_does_not_decide(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process was frozen, and another worker has begun since."""
    studio.upload(DATA)

    def frozen(*_: object) -> DerivedImage:
        with writing() as session:
            session.execute(update(Blob).values(derive_attempts=2, derive_at=now() + LEASE))
        raise ImageRefused("cannot be decoded")

    monkeypatch.setattr(deriving_module, "_make", frozen)
    derive(blob().id)

    assert (blob().derivation, blob().derive_attempts) == ("pending", 2)


@pytest.mark.slow
def test_a_decoder_that_dies_three_times_is_given_up(app: Flask, studio: Studio, processes: ImageProcesses) -> None:
    """As it does when the system takes its memory away."""
    studio.upload(saved(Image.effect_noise((2000, 2000), 60), "PNG", compress_level=1))
    blob_id = blob().id

    def work() -> None:
        with app.app_context():
            derive(blob_id)
            db.session.remove()

    known = decoders()
    with ThreadPoolExecutor(1) as pool:
        running_worker = pool.submit(work)  # one job: it tries again by itself, within seconds
        for attempt in (1, 2, 3):
            wait_until(lambda tried=attempt: blob().derive_attempts == tried, 60, "it is tried")  # type: ignore[misc]
            wait_until(lambda: len(decoders() - known) >= 2, 60, "a child is at work")
            assert blob().derivation == "pending"
            child = newest(decoders() - known)
            child.kill()
            wait_until(lambda ended=child: not is_alive(ended.pid), 60, "it is gone")  # type: ignore[misc]
        running_worker.result(60)

    found = blob()
    assert found.derivation == "failed"
    assert found.derive_error is not None
    assert "3 times" in found.derive_error


@pytest.mark.slow
@pytest.mark.parametrize("point", ["variant-stored"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_worker_that_is_killed_halfway_leaves_nothing_that_stays(
    app: Flask, studio: Studio, settings: Settings, point: str
) -> None:
    presigned = studio.upload(DATA)
    (blob_id,) = due_derivations(db.session())
    ended = run_derive(settings, blob_id, SLIPWAY_APP_CRASH_AT=point)
    assert ended == -signal.SIGKILL
    found = blob()
    assert (found.derivation, found.derive_attempts) == ("pending", 1)
    assert bucket().stat(f"{found.object_key}.v1-256.webp") is not None
    assert not check_assets().orphans, "a size whose image still gets its sizes belongs to it"
    with writing() as session:
        session.execute(update(Blob).values(derive_at=now()))

    assert run_derive(settings, blob_id) == 0

    assert blob().derivation == "ready"
    assert not check_assets().missing
    assert not check_assets().orphans
    assert studio.client.get(f"{presigned['publicUrl']}.v1-256.webp").status_code == 200


def run_derive(settings: Settings, blob_id: str, **environment: str) -> int:
    """Make the sizes in a process of its own; answers its exit code."""
    storage = settings.storage_settings
    code = "import sys; from app import create_app\nfrom app.images.variant_jobs import derive\n"
    code += "with create_app().app_context(): derive(sys.argv[1])"
    ended = subprocess.run(
        [sys.executable, "-c", code, blob_id],
        cwd=ROOT,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith(("SLIPWAY_", "S3_"))},
            "SLIPWAY_INSTANCE": str(settings.instance),
            "DATABASE_URL": settings.database_url,
            "S3_ENDPOINT": storage.endpoint,
            "S3_ACCESS_KEY": storage.access_key,
            "S3_SECRET_KEY": storage.secret_key,
            "S3_BUCKET": storage.bucket,
            **environment,
        },
        timeout=60,
        check=False,
    )
    return ended.returncode
