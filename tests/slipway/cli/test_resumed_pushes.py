"""Pushes that are interrupted go on where they ended, and nothing is sent twice that need not be."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.data.extensions import db
from app.data.models.audit_record import AnsweredRequest
from app.data.models.game import Game
from app.data.models.upload import Upload
from app.uploads.resumable.uploads import read_upload
from slipway.cli.exit_codes import ExitCode
from slipway.cli.push.archive_file import file_identity
from tests.app.runtime.processes import wait_until
from tests.app.uploads.raw.live import Gunicorn, World
from tests.game_archives import big_archive
from tests.slipway.cli.cli_process import Slipway, ended
from tests.slipway.cli.game_folders import game_folder
from tests.slipway.cli.storage_proxy import StorageLine

MIB = 1024**2
PART = 16 * MIB
PARTS = 6
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def targz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of six parts: two more than are under way at a time."""
    path = tmp_path_factory.mktemp("archive") / "lanterns.tar.gz"
    path.write_bytes(big_archive(PARTS * PART - 4 * MIB))
    return path


def arrived(world: World, slug: str) -> dict[int, int]:
    """Number -> size of the parts that storage has of the game's one upload."""
    with world.app.app_context():
        query = select(Upload).join(Game, Upload.game_id == Game.id).where(Game.slug == slug)
        upload = db.session.scalars(query).one_or_none()
        parts = read_upload(upload).parts if upload is not None else []
        db.session.rollback()
    return {part.number: part.size for part in parts or ()}


@pytest.fixture
def stalled(
    slipway: Slipway, world: World, slug: str, line: StorageLine, targz: Path
) -> Iterator[subprocess.Popen[str]]:
    """A push of `targz` that stands still after the first part or more arrived."""
    line.hold_after(4 * PART + 8 * MIB)
    pushing = slipway.begin("push", targz, "--game", slug, "--json")
    wait_until(lambda: line.holding, 90, "the line is held")
    wait_until(lambda: arrived(world, slug), 90, "a part has arrived")
    yield pushing
    if pushing.poll() is None:
        pushing.kill()
        pushing.communicate()


def goes_on(slipway: Slipway, world: World, slug: str, line: StorageLine, targz: Path) -> dict[str, Any]:
    """Push again; insist that only what was missing is sent, and that it becomes the build."""
    line.reset()
    there = arrived(world, slug)
    assert there
    pushed = slipway("push", targz, "--game", slug, "--json")
    assert pushed.code == ExitCode.OK, pushed
    sent, before = pushed.result["bytesSent"], pushed.result["bytesThereBefore"]
    # One whose last byte had just been sent may have arrived after we looked.
    assert before >= sum(there.values())
    assert sent == targz.stat().st_size - before
    assert sent <= line.sent < sent + 64 * 1024  # and the requests' heads
    assert world.builds(slug) == [(1, hashlib.sha256(targz.read_bytes()).hexdigest())]
    return pushed.result


def test_after_kill_9(
    slipway: Slipway, world: World, slug: str, line: StorageLine, targz: Path, stalled: subprocess.Popen[str]
) -> None:
    stalled.kill()
    stalled.communicate()
    goes_on(slipway, world, slug, line, targz)
    assert not list((slipway.config / "unfinished").iterdir())


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_after_an_interrupt_which_says_that_it_will(
    slipway: Slipway,
    world: World,
    slug: str,
    line: StorageLine,
    targz: Path,
    stalled: subprocess.Popen[str],
    which: signal.Signals,
) -> None:
    stalled.send_signal(which)
    interrupted = ended(stalled)
    assert interrupted.code == ExitCode.INTERRUPTED
    assert "push again to continue" in interrupted.result["message"]
    goes_on(slipway, world, slug, line, targz)


def test_connections_that_break_are_tried_again(
    slipway: Slipway, world: World, slug: str, line: StorageLine, targz: Path
) -> None:
    line.cut_after(5 * MIB, times=6)
    pushed = slipway("push", targz, "--game", slug, "--json")
    assert pushed.code == ExitCode.OK, pushed
    assert line.cuts_left == 0
    assert world.builds(slug) == [(1, hashlib.sha256(targz.read_bytes()).hexdigest())]
    places = [found["fraction"] for found in pushed.lines if found["event"] == "progress"]
    assert places == sorted(places)


def test_storage_that_stays_away_is_given_up_with_what_to_do(
    slipway: Slipway, world: World, slug: str, line: StorageLine, targz: Path
) -> None:
    line.cut_after(3 * MIB, times=1000)
    given_up = slipway("push", targz, "--game", slug, "--patience", 1, "--json")
    assert given_up.code == ExitCode.UNREACHABLE
    assert "push again to continue" in given_up.result["message"]
    assert line.url.removeprefix("http://") in given_up.result["message"]
    assert "X-Amz" not in given_up.out + given_up.err
    line.reset()
    assert slipway("push", targz, "--game", slug).code == ExitCode.OK
    assert len(world.builds(slug)) == 1


def test_a_server_that_is_restarted_meanwhile_is_outlasted(
    slipway: Slipway,
    world: World,
    slug: str,
    line: StorageLine,
    gunicorn: Gunicorn,
    targz: Path,
    stalled: subprocess.Popen[str],
) -> None:
    gunicorn.kill()
    line.release()
    gunicorn.start()
    pushed = ended(stalled)
    assert pushed.code == ExitCode.OK, pushed
    assert world.builds(slug) == [(1, hashlib.sha256(targz.read_bytes()).hexdigest())]


def test_an_upload_whose_first_answer_was_lost_goes_on(
    slipway: Slipway, world: World, slug: str, line: StorageLine, targz: Path, stalled: subprocess.Popen[str]
) -> None:
    """It is begun again under its Idempotency-Key: the same upload, with addresses that no database has kept."""
    stalled.kill()
    stalled.communicate()
    identity = hashlib.sha256(file_identity(targz, targz.stat().st_mtime_ns).encode()).hexdigest()[:24]
    (note,) = (slipway.config / "unfinished").glob(f"*-{identity}.json")
    for other in note.parent.iterdir():  # written later
        if other != note:
            other.unlink()
    kept = json.loads(note.read_text())
    del kept["uploadId"]  # killed before it saw the answer
    note.write_text(json.dumps(kept))
    with world.app.app_context():
        stored = db.session.scalars(select(AnsweredRequest.body)).all()
        assert stored
        assert not any("X-Amz-Signature=" in (body or "") for body in stored)
    line.reset()
    pushed = slipway("push", targz, "--game", slug, "--json")
    assert pushed.code == ExitCode.OK, pushed
    assert world.builds(slug) == [(1, hashlib.sha256(targz.read_bytes()).hexdigest())]
    with world.app.app_context():
        assert len(db.session.scalars(select(Upload).join(Game).where(Game.slug == slug)).all()) == 1


def test_a_copy_of_the_file_goes_on_where_the_file_ended(
    slipway: Slipway,
    world: World,
    slug: str,
    line: StorageLine,
    targz: Path,
    stalled: subprocess.Popen[str],
    tmp_path: Path,
) -> None:
    """An archive that was fetched again has another time and perhaps another path, and the same digest."""
    wait_until(lambda: len(list((slipway.config / "unfinished").iterdir())) == 2, 90, "its digest is known")
    stalled.kill()
    stalled.communicate()
    copy = tmp_path / "fetched-again.tar.gz"
    copy.write_bytes(targz.read_bytes())
    goes_on(slipway, world, slug, line, copy)
    assert not list((slipway.config / "unfinished").iterdir())


def test_another_choice_of_release_is_another_upload(
    slipway: Slipway, world: World, slug: str, line: StorageLine, targz: Path, stalled: subprocess.Popen[str]
) -> None:
    """An upload that was begun to go live by itself must not be completed by a push that forbids it."""
    stalled.kill()
    stalled.communicate()
    line.reset()
    pushed = slipway("push", targz, "--game", slug, "--no-release", "--json")
    assert (pushed.code, pushed.result["released"]) == (ExitCode.OK, False)
    assert pushed.result["bytesThereBefore"] == 0


def test_a_folder_is_packed_again_to_the_same_bytes(
    slipway: Slipway, world: World, slug: str, line: StorageLine, tmp_path: Path
) -> None:
    # More than are sent at once: the line is held in a part that begins after another has ended.
    folder = game_folder(tmp_path, 4 * PART + MIB)
    line.hold_after(4 * PART + MIB // 2)
    pushing = slipway.begin("push", folder, "--game", slug, "--json")
    wait_until(lambda: line.holding, 90, "the line is held")
    wait_until(lambda: arrived(world, slug), 90, "a part has arrived")
    pushing.kill()
    pushing.communicate()
    line.reset()
    there = sum(arrived(world, slug).values())
    pushed = slipway("push", folder, "--game", slug, "--json")
    assert pushed.code == ExitCode.OK, pushed
    assert pushed.result["bytesThereBefore"] >= there > 0
    assert len(world.builds(slug)) == 1
    assert list((slipway.home / "cache" / "slipway").iterdir()) == []
