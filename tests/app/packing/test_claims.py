"""At most one worker makes a pack, and every way in which an attempt can end."""

from __future__ import annotations

import errno
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest
from flask import Flask
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from app.catalog.retention import delete_build
from app.config.settings import Settings
from app.data import claims
from app.data.claims import LEASE
from app.data.database import free_connection, writing
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Build
from app.data.models.pack import BuildPack
from app.maintenance.build_sweep import check
from app.packing import pack_making
from app.packing.due_packs import MAX_MAKINGS, PAUSE_AFTER_FAILURE, PAUSE_WITHOUT_ROOM, due_packs
from app.packing.pack_claims import NoRoom, PackHeartbeat, claim_pack, finish, free_claim
from app.packing.pack_making import Outcome, make_pack
from app.packing.pack_removal import remove_folder
from app.packing.pack_work import make_due_packs
from app.packing.pack_writing import store
from app.packing.work_folder import work_folder
from app.process import shutdown
from app.storage.bucket import StorageError, bucket
from slipway.client.sizes import format_limit
from slipway.packs.making import build_writing
from slipway.packs.making.hash_file import HashFile
from tests.app.fleet.acting import STUDIO
from tests.app.packing.scenes import Studio, game_files, pack_objects_stored, pack_of, ready_pack
from tests.app.runtime.processes import wait_until


@pytest.fixture
def build(studio: Studio) -> Build:
    return studio.publish(game_files())


def row(build: Build) -> BuildPack:
    found = pack_of(build)
    assert found is not None
    return found


def age(build: Build, by: timedelta) -> None:
    """Let the pack's last heartbeat have been that long ago."""
    with writing() as session:
        session.execute(update(BuildPack).where(BuildPack.build_id == build.id).values(touched_at=now() - by))
    free_connection()


def nothing_is_left(settings: Settings) -> bool:
    return not pack_objects_stored() and not list((settings.instance / "packs").glob("*"))


def test_no_database_connection_is_held_while_a_pack_is_made(
    studio: Studio, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[str] = []

    def watched(name: str, function: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            held.append(f"{name}: {db.session.registry.has()}")
            return function(*arguments, **named)

        return call

    for name in ("unpack", "older_build", "write_build", "store", "store_update"):
        monkeypatch.setattr(pack_making, name, watched(name, getattr(pack_making, name)))
    make_pack(build.id)
    assert make_pack(studio.publish(game_files(scripts=2)).id) is Outcome.READY

    assert {entry.split(":")[0] for entry in held} == {"unpack", "older_build", "write_build", "store", "store_update"}
    assert [entry for entry in held if entry.endswith("True")] == []


def test_a_second_worker_gets_no_claim_until_the_lease_is_over(build: Build) -> None:
    first = claim_pack(build.id)
    assert first is not None
    assert claim_pack(build.id) is None
    assert due_packs() == []

    age(build, LEASE + timedelta(seconds=1))

    assert due_packs() == [build.id]
    second = claim_pack(build.id)
    assert second is not None
    assert (second.token, second.folder) != (first.token, first.folder)
    assert finish(first, BuildPack(pack_bytes=1), []) is None, "whoever lost the claim publishes nothing"
    assert row(build).state == "making"


def test_the_heartbeat_shows_progress_and_notices_the_end(
    app: Flask, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "HEARTBEAT_SECONDS", 0.05)
    claim = claim_pack(build.id)
    assert claim is not None
    with PackHeartbeat(app, claim) as heartbeat:
        heartbeat.bytes_done = 1000
        wait_until(lambda: row(build).bytes_done == 1000, 20, "the progress is stored")
        with writing() as session:
            session.execute(update(BuildPack).values(maker="another"))
        assert heartbeat.lost.wait(20)


def test_a_freed_claim_is_due_at_once_and_does_not_count(build: Build) -> None:
    for _ in range(MAX_MAKINGS + 1):
        claim = claim_pack(build.id)
        assert claim is not None
        free_claim(claim)
    pack = row(build)
    assert (pack.state, pack.makings_begun, pack.folder, pack.pack_bytes) == ("waiting", 0, None, 0)
    assert due_packs() == [build.id]


def test_a_process_that_stops_frees_its_claim(
    build: Build, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopping = shutdown.Shutdown().stopping
    with monkeypatch.context() as patched:
        patched.setattr(shutdown, "stopping", stopping)
        patched.setattr(pack_making, "_unpack_archive", after(pack_making._unpack_archive, stopping.set))
        make_due_packs()

    assert row(build).state == "waiting"
    assert nothing_is_left(settings)
    make_due_packs()
    ready_pack(build)


def test_a_storage_that_does_not_answer_ends_the_work_until_later(
    build: Build, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: list[str] = []

    def fail(key: str, content: bytes) -> None:
        attempts.append(key)
        raise StorageError("storing an object")

    with monkeypatch.context() as patched:
        patched.setattr(pack_making, "store", fail)
        make_due_packs()

    assert len(attempts) == 1, "it is not tried again and again"
    assert (row(build).state, row(build).makings_begun) == ("waiting", 0)
    assert nothing_is_left(settings)
    make_due_packs()
    ready_pack(build)


def test_what_a_failed_attempt_stored_is_named_until_it_is_removed(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bool, bool]] = []

    def removed(folder: str | None) -> None:
        if folder == row(build).folder:
            seen.append((bool(pack_objects_stored()), check().orphans == []))
        remove_folder(folder)

    def fail(key: str, content: bytes) -> None:
        raise StorageError("storing an object")

    monkeypatch.setattr(pack_making, "remove_folder", removed)
    monkeypatch.setattr(pack_making, "store", fail)
    assert make_pack(build.id) is Outcome.LATER
    assert seen == [(True, True)]
    assert pack_objects_stored() == {}


def test_a_pack_stays_if_the_answer_to_its_commit_is_lost(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*arguments: Any) -> NoReturn:
        finish(*arguments)
        raise OperationalError("COMMIT", None, Exception("server closed the connection unexpectedly"))

    monkeypatch.setattr(pack_making, "finish", lost)
    assert make_pack(build.id) is Outcome.ENDED
    assert row(build).state == "ready"
    assert (check().missing, check().orphans) == ([], [])


def test_an_attempt_that_breaks_is_repeated_after_a_pause_and_not_for_ever(
    build: Build, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> NoReturn:
        raise RuntimeError("a defect")

    monkeypatch.setattr(pack_making, "write_build", broken)
    for attempt in range(1, MAX_MAKINGS + 1):
        assert make_pack(build.id) is Outcome.ENDED
        assert row(build).makings_begun == attempt
        assert due_packs() == []
        age(build, PAUSE_AFTER_FAILURE + timedelta(seconds=1))

    assert row(build).state == "failed"
    assert "RuntimeError" in (row(build).reason or "")
    assert due_packs() == []
    assert nothing_is_left(settings)
    monkeypatch.undo()
    assert make_pack(build.id, again=True) is Outcome.READY


def test_attempts_that_were_killed_count_too(build: Build) -> None:
    for _ in range(MAX_MAKINGS):
        assert claim_pack(build.id) is not None
        age(build, LEASE + timedelta(seconds=1))
    assert claim_pack(build.id) is None
    assert row(build).state == "failed"
    assert f"interrupted {MAX_MAKINGS} times" in (row(build).reason or "")


def test_an_archive_that_is_damaged_in_storage_fails_at_once(studio: Studio, build: Build) -> None:
    multipart = bucket().start_multipart(build.object_key)
    etag = bucket().put_part(build.object_key, multipart, 1, [b"no archive".ljust(build.size)])
    bucket().complete_multipart(build.object_key, multipart, [etag])

    assert make_pack(build.id) is Outcome.ENDED

    assert row(build).state == "failed"
    assert (row(build).reason or "").startswith("The build cannot be cut into a pack: ")


def test_a_build_that_is_deleted_meanwhile_leaves_nothing(
    studio: Studio, build: Build, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = studio.publish(game_files(scripts=2))
    monkeypatch.setattr(pack_making, "store", after(store, lambda: remove(studio, build)))

    assert make_pack(build.id) is Outcome.NOT_OURS

    assert pack_of(build) is None
    assert nothing_is_left(settings)
    monkeypatch.undo()
    make_due_packs()
    ready_pack(live)


def remove(studio: Studio, build: Build) -> None:
    free_connection()
    delete_build(studio.game, build.number, STUDIO)


def after(function: object, then: object) -> object:
    """The function, followed by something that happens at this moment."""

    def both(*arguments: object, **named: object) -> object:
        result = function(*arguments, **named)  # type: ignore[operator]  # any function
        then()  # type: ignore[operator]
        return result

    return both


@pytest.mark.settings(PACK_DISK_BYTES="102500")
def test_a_build_over_the_disk_budget_says_so(build: Build) -> None:
    assert make_pack(build.id) is Outcome.ENDED
    assert row(build).state == "no_room"
    assert "the portal allows 102,500 B." in (row(build).reason or ""), "a limit is not rounded"


@pytest.mark.settings(PACK_FREE_BYTES="1000T")
def test_a_disk_that_is_too_full_is_tried_again_later(
    build: Build, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    usage = shutil.disk_usage("/")._replace(free=987_654_321)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    make_due_packs()
    assert (row(build).state, row(build).makings_begun) == ("no_room", 0)
    assert "has no room to make the pack of build 1" in (row(build).reason or "")
    assert "987,654,321 bytes free" in caplog.text, "the operator sees how full the disk is"
    assert "987,654,321" not in (row(build).reason or ""), "partners do not"
    assert due_packs() == []

    age(build, PAUSE_WITHOUT_ROOM + timedelta(seconds=1))
    assert due_packs() == [build.id]
    roomy = usage._replace(free=2**60)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: roomy)
    assert make_pack(build.id) is Outcome.READY


def test_the_budget_counts_the_hashes_of_all_chunks(build: Build, settings: Settings) -> None:
    files = build.unpacked_bytes + 4096 * build.members
    with (
        pytest.raises(NoRoom, match=f"allows {format_limit(files)}"),
        work_folder(settings.model_copy(update={"pack_disk_bytes": files}), build),
    ):
        pass
    hashes = 32 * (build.members + build.unpacked_bytes // 2**14)
    with work_folder(settings.model_copy(update={"pack_disk_bytes": files + hashes}), build):
        pass


def test_the_hashes_are_on_the_disk_that_was_checked(
    build: Build, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders: list[Path | None] = []

    class Watched(HashFile):
        def __init__(self, folder: Path | None) -> None:
            folders.append(folder)
            super().__init__(folder)

    monkeypatch.setattr(build_writing, "HashFile", Watched)
    assert make_pack(build.id) is Outcome.READY
    assert [folder.parent for folder in folders if folder] == [settings.instance / "packs"]


@pytest.mark.parametrize(("module", "name"), [(pack_making, "unpack"), (HashFile, "extend")])
def test_a_disk_that_fills_up_meanwhile_is_no_failure(
    build: Build,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    module: object,
    name: str,
) -> None:
    def full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, name, full)
    assert make_pack(build.id) is Outcome.ENDED
    assert row(build).state == "no_room"
    assert "filled up" in (row(build).reason or "")
    assert "bytes are free" not in (row(build).reason or "")
    assert "bytes are free" in caplog.text
    assert nothing_is_left(settings)


def test_the_folder_can_be_set_and_leftovers_of_killed_processes_are_removed(
    app: Flask, build: Build, settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "packs"
    app.config["SLIPWAY"] = settings.model_copy(update={"pack_dir": folder})
    (folder / "slipway-pack-abandoned" / "game").mkdir(parents=True)
    (folder / "of somebody else").mkdir()

    assert make_pack(build.id) is Outcome.READY

    assert [path.name for path in folder.iterdir()] == ["of somebody else"]
    (folder / "slipway-pack-abandoned").mkdir()
    make_due_packs()
    assert [path.name for path in folder.iterdir()] == ["of somebody else"], "also when nothing is due"


def test_the_folder_of_a_running_making_is_left_alone(app: Flask, build: Build, settings: Settings) -> None:
    with work_folder(settings, build) as folder:
        assert folder.stat().st_mode & 0o077 == 0, "nobody else reads the unpacked build"
        make_due_packs()
        assert folder.is_dir()
    assert not folder.exists()
    ready_pack(build)
