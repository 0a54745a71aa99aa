"""Pushing a folder again: only what the platform's build lacks is sent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sqlalchemy import select, update

from app.data.database import writing
from app.data.extensions import db
from app.data.models.game import Game
from app.data.models.pack import BuildPack
from app.data.models.upload import Upload
from app.refusals import Refusal
from app.storage.bucket import bucket
from app.uploads.resumable.uploads import read_upload
from app.uploads.updates.base_builds import BaseBuild, find_base
from slipway.cli.exit_codes import ExitCode
from tests.app.runtime.processes import wait_until
from tests.app.uploads.raw.live import World
from tests.slipway.cli.cli_process import Slipway, ended
from tests.slipway.cli.game_folders import LAUNCHER, game_folder
from tests.slipway.cli.storage_proxy import StorageLine

pytestmark = pytest.mark.slow

MIB = 1024**2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return game_folder(tmp_path, 12 * MIB)


@pytest.fixture
def command(slipway: Slipway, slug: str) -> Slipway:
    """The command for this test's game."""
    return slipway.but(SLIPWAY_GAME=slug)


def prepared(world: World, slug: str, number: int) -> BaseBuild:
    """The build once the platform has made its pack."""
    game_id = world.game_id(slug)
    found: list[BaseBuild] = []

    def is_ready() -> bool:
        with world.app.app_context():
            try:
                found[:] = [find_base(game_id, number)]
            except Refusal:
                return False
        return True

    wait_until(is_ready, 90, f"build {number} has a pack")
    return found[0]


@pytest.fixture
def base(command: Slipway, world: World, slug: str, folder: Path) -> BaseBuild:
    """The folder as build 1, which has a pack."""
    pushed = command("push", folder)
    assert pushed.code == ExitCode.OK, pushed
    assert "whole archive" not in pushed.err
    return prepared(world, slug, 1)


def edit_script(folder: Path, line: str = "'Hello.'") -> None:
    (folder / "game" / "script.rpy").write_text(f"label start:\n    {line}\n")


def test_a_second_push_sends_at_most_a_hundredth(
    command: Slipway, world: World, slug: str, folder: Path, base: BaseBuild, line: StorageLine
) -> None:
    edit_script(folder)
    line.reset()
    pushed = command("push", folder, "--json")
    assert (pushed.code, pushed.result["build"], pushed.result["base"]) == (ExitCode.OK, 2, 1), pushed
    assert line.sent <= base.build.size / 100
    assert 0 < pushed.result["bytesSent"] == pushed.result["size"] < line.sent
    assert [number for number, _ in world.builds(slug)] == [1, 2]
    assert pushed.result["archiveSize"] > 12 * MIB
    assert pushed.result["message"] == f"Build 2 is live. Sent {pushed.result['size']} B instead of 12.0 MiB."


def test_its_archive_is_the_one_that_a_full_push_would_send(
    command: Slipway, world: World, slug: str, folder: Path, base: BaseBuild
) -> None:
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("secret")
    (folder / "game" / "ürüm.rpy").write_text("label other:\n")
    (folder / "game" / "empty").touch()
    (folder / "game" / "saves").mkdir()
    os.link(folder / "game" / "script.rpy", folder / "game" / "twin.rpy")
    assert command("push", folder).code == ExitCode.OK
    full = command("push", folder, "--full", "--json")
    assert (full.result["changed"], full.result["build"], full.result["bytesSent"]) == (False, 2, 0), full
    assert len(world.builds(slug)) == 2


def test_a_folder_without_changes_sends_nothing(
    command: Slipway, world: World, slug: str, folder: Path, base: BaseBuild, line: StorageLine
) -> None:
    line.reset()
    for options in ([], ["--if-changed"]):
        pushed = command("push", folder, *options, "--json")
        assert (pushed.code, pushed.result["changed"], pushed.result["bytesSent"]) == (ExitCode.OK, False, 0), pushed
        assert pushed.result["message"] == "Nothing changed since build 1. Build 1 is live."
    assert line.sent < 10_000  # requests for the index
    assert len(world.builds(slug)) == 1


def test_full_sends_the_archive(command: Slipway, folder: Path, base: BaseBuild) -> None:
    edit_script(folder)
    pushed = command("push", folder, "--full", "--json")
    assert (pushed.code, pushed.result["build"]) == (ExitCode.OK, 2), pushed
    assert pushed.result["bytesSent"] > 12 * MIB
    assert pushed.result["base"] is None
    assert pushed.result["message"] == "Build 2 is live."


def test_a_base_that_lost_its_pack_costs_the_whole_archive(
    command: Slipway, world: World, folder: Path, base: BaseBuild
) -> None:
    """The check finds that out; the command says so and sends everything."""
    edit_script(folder)
    with world.app.app_context():
        bucket().delete([base.pack.pack_key])
    pushed = command("push", folder, "--json")
    assert (pushed.code, pushed.result["build"]) == (ExitCode.OK, 2), pushed
    (note,) = [line["message"] for line in pushed.lines if line["event"] == "note"]
    assert note.startswith("Build 1, on which this update is based, was deleted meanwhile, or its pack was freed.")
    assert note.endswith("Sending the whole archive.")
    assert pushed.result["bytesSent"] > 12 * MIB
    fractions = [line["fraction"] for line in pushed.lines if line["event"] == "progress"]
    assert fractions == sorted(fractions)


def test_a_base_that_loses_its_pack_before_the_upload_costs_the_whole_archive(
    command: Slipway, world: World, folder: Path, base: BaseBuild, line: StorageLine
) -> None:
    edit_script(folder)
    line.reset()
    line.hold_after(1)  # the request for the table
    process = command.begin("push", folder, "--json")
    wait_until(lambda: line.holding, 60, "the table is requested")
    with world.app.app_context(), writing() as session:
        session.execute(update(BuildPack).where(BuildPack.build_id == base.build.id).values(state="failed"))
    line.release()
    pushed = ended(process)
    assert (pushed.code, pushed.result["build"], pushed.result["base"]) == (ExitCode.OK, 2, None), pushed
    assert pushed.result["bytesSent"] > 12 * MIB
    notes = [line["message"] for line in pushed.lines if line["event"] == "note"]
    assert ["no pack" in note for note in notes] == [True]


def test_an_interrupted_update_continues_where_it_ended(
    command: Slipway, world: World, slug: str, folder: Path, base: BaseBuild, line: StorageLine
) -> None:
    (folder / "game" / "more.rpa").write_bytes(os.urandom(80 * MIB))  # five parts; four are sent at a time
    line.reset()
    line.hold_after(72 * MIB)
    process = command.begin("push", folder, "--json")
    wait_until(lambda: line.holding, 60, "most of it was sent")
    wait_until(lambda: received_bytes(world, slug) > 0, 30, "a part has arrived")
    process.kill()
    process.communicate()
    line.reset()
    again = command("push", folder, "--json")
    assert (again.code, again.result["build"], again.result["base"]) == (ExitCode.OK, 2, 1), again
    assert again.result["bytesThereBefore"] > 0
    assert again.result["bytesThereBefore"] + again.result["bytesSent"] == again.result["size"]
    assert line.sent < again.result["bytesSent"] + 64 * 1024


def received_bytes(world: World, slug: str) -> int:
    """What storage has of the game's update that is being sent."""
    with world.app.app_context():
        query = select(Upload).join(Game, Upload.game_id == Game.id).where(Game.slug == slug)
        upload = db.session.scalars(query.where(Upload.base_number.is_not(None))).one_or_none()
        found = read_upload(upload).received_bytes if upload is not None else 0
        db.session.rollback()
    return found or 0


def test_a_broken_launcher_is_found_before_anything_is_sent(
    command: Slipway, folder: Path, base: BaseBuild, line: StorageLine
) -> None:
    (folder / "paper-lanterns.sh").chmod(0o644)
    line.reset()
    pushed = command("push", folder)
    assert pushed.code == ExitCode.REFUSED_ARCHIVE
    assert "is not executable" in pushed.err
    assert line.sent < 10_000


def test_a_launcher_with_windows_line_ends_is_found_before_anything_is_sent(
    command: Slipway, folder: Path, base: BaseBuild, line: StorageLine
) -> None:
    launcher = folder / LAUNCHER
    launcher.write_bytes(b"#!/bin/sh\r\nexec lib/game\r\n")
    line.reset()
    refused = command("push", folder, "--json")
    assert refused.code == ExitCode.REFUSED_ARCHIVE, refused
    assert line.sent < 10_000
    assert "has Windows line ends (CRLF), so a session would end with exit status 127" in refused.result["message"]
    assert refused.result["message"].endswith(
        f"Convert it: sed -i 's/\\r$//' {folder.name}/{LAUNCHER}. Then push again."
    )
    launcher.write_bytes(b"#!/bin/sh\nexec lib/game\r\n")
    dry = command("push", folder, "--dry-run", "--json")
    assert dry.code == ExitCode.OK, dry
    assert ["Windows line ends (CRLF) in line 2" in warning for warning in dry.result["warnings"]] == [True]


def test_a_dry_run_shows_the_size_of_the_update(
    command: Slipway, world: World, slug: str, folder: Path, base: BaseBuild
) -> None:
    edit_script(folder)
    tried = command("push", folder, "--dry-run", "--json")
    assert tried.code == ExitCode.OK, tried
    assert 0 < tried.result["bytesToSend"] < 2000
    assert len(world.builds(slug)) == 1


def test_without_pyfastcdc_the_archive_is_sent(command: Slipway, folder: Path, base: BaseBuild, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden" / "pyfastcdc"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").touch()
    edit_script(folder)
    pushed = command.but(PYTHONPATH=str(hidden.parent))("push", folder)
    assert pushed.code == ExitCode.OK, pushed
    assert "Sending the whole archive: pyfastcdc is not installed" in pushed.err
    assert pushed.out == "Build 2 is live.\n"
