"""Uploads of a process that died are swept by the next one at once; those of one that lives are left alone."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from app.config.settings import MIB
from app.storage.embedded_server import StorageAccess
from tests.app.runtime.processes import is_alive, tree, wait_until
from tests.app.uploads.raw.live import Gunicorn, World, world_on_sqlite
from tests.app.uploads.raw.sending import RawUpload, upload
from tests.game_archives import big_archive

pytestmark = pytest.mark.slow


@pytest.fixture
def world(tmp_path: Path, empty_sqlite: Path, storage: StorageAccess) -> Iterator[World]:
    patient = {"SLIPWAY_BODY_TIMEOUT": "30", "SLIPWAY_DRAIN_SECONDS": "30"}
    with world_on_sqlite(tmp_path / "instance", empty_sqlite, storage, **patient) as world:
        yield world


@pytest.fixture
def gunicorn(world: World, tmp_path: Path) -> Iterator[Gunicorn]:
    server = Gunicorn(world.settings, tmp_path / "gunicorn.log").start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def archive() -> bytes:
    return big_archive(18 * MIB)


def begun(world: World, gunicorn: Gunicorn, slug: str, archive: bytes) -> RawUpload:
    """An upload of which the first part is stored and half of the rest has been sent."""
    sending = RawUpload(gunicorn.port, world.key, slug, Content_Length=str(len(archive)))
    sending.send(archive[: 17 * MIB])
    wait_until(lambda: world.uploads() == 1, 30, "it has begun")
    return sending


def receivers(gunicorn: Gunicorn) -> list[int]:
    """Processes that hold, or have asked for, the lock of those who receive archives."""
    assert gunicorn.process is not None
    found = []
    for pid in tree(gunicorn.process.pid):
        with suppress(psutil.Error):
            if any(file.path.endswith("receiving.lock") for file in psutil.Process(pid).open_files()):
                found.append(pid)
    return found


def kill_all(master: int) -> None:
    for pid in tree(master):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("killed", ["everything", "the worker"])
def test_what_a_killed_process_received_is_swept_when_the_next_one_starts(
    world: World, gunicorn: Gunicorn, archive: bytes, killed: str
) -> None:
    slug = world.new_game()
    begun(world, gunicorn, slug, archive)
    if killed == "everything":
        gunicorn.kill()
        assert world.leftovers() != []
        gunicorn.start()
    else:
        worker = gunicorn.worker
        os.kill(worker, signal.SIGKILL)  # gunicorn starts another one by itself
        wait_until(lambda: not is_alive(worker), 30, "the worker is gone")
    world.is_clean()
    assert upload(gunicorn.port, world.key, slug, archive).status == 200


def test_an_upload_outlives_a_reload_of_the_server(
    world: World, gunicorn: Gunicorn, archive: bytes, request: pytest.FixtureRequest
) -> None:
    """SIGHUP: a new worker starts while the old one finishes what it has begun."""
    slug = world.new_game()
    assert gunicorn.process is not None
    old = gunicorn.worker
    with begun(world, gunicorn, slug, archive) as sending:
        gunicorn.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(receivers(gunicorn)) == 2, 30, "the new worker has looked whether it is alone")
        (new,) = set(receivers(gunicorn)) - {old}
        master = psutil.Process(new).ppid()  # nobody's child once the old one has ended
        request.addfinalizer(lambda: kill_all(master))
        answer = sending.send(archive[17 * MIB :]).answer()
    assert (answer.status, answer.json["build"]) == (200, 1)
    wait_until(lambda: not is_alive(old), 20, "the old worker has ended")
    assert upload(gunicorn.port, world.key, slug, archive).json["build"] == 1
    assert world.leftovers() == []
