"""From a folder or a tar.gz to a build, against the running app."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.accounts.keys import create_key
from app.accounts.partners import create_partner
from app.data.database import writing
from app.data.models.game import Game
from slipway.cli.exit_codes import ExitCode
from slipway.cli.push.checking.unread_archive import MIN_BYTES
from tests.app.runtime.processes import wait_until
from tests.app.uploads.raw.live import STUDIO, World
from tests.game_archives import big_archive, game_archive
from tests.slipway.cli.cli_process import ROOT, Slipway, ended
from tests.slipway.cli.game_folders import game_folder
from tests.slipway.cli.pseudo_terminal import terminal
from tests.slipway.cli.storage_proxy import StorageLine

pytestmark = pytest.mark.slow

MIB = 1024**2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return game_folder(tmp_path)


@pytest.fixture
def targz(tmp_path: Path) -> Path:
    path = tmp_path / "lanterns.tar.gz"
    path.write_bytes(game_archive())
    return path


def test_a_folder_becomes_the_live_build(slipway: Slipway, world: World, slug: str, folder: Path) -> None:
    pushed = slipway("push", folder, "--game", slug, "--note", "The festival", "--wait", "released")
    assert (pushed.code, pushed.out) == (ExitCode.OK, "Build 1 is live.\n"), pushed
    assert [number for number, _ in world.builds(slug)] == [1]
    status = slipway("status", "--game", slug, "--json").result
    (build,) = status["builds"]
    assert (status["releasedBuild"], build["note"], build["fileName"]) == (
        1,
        "The festival",
        "PaperLanterns-1.0.tar.gz",
    )


def test_a_targz_is_sent_as_it_is(slipway: Slipway, world: World, slug: str, targz: Path) -> None:
    assert slipway("push", targz, "--game", slug).code == ExitCode.OK
    assert world.builds(slug) == [(1, hashlib.sha256(targz.read_bytes()).hexdigest())]


def test_json_is_an_object_a_line_and_the_last_has_everything(
    slipway: Slipway, world: World, slug: str, tmp_path: Path
) -> None:
    pushed = slipway("push", game_folder(tmp_path, 20 * MIB), "--game", slug, "--json")
    progress = [line for line in pushed.lines if line["event"] == "progress"]
    assert list(dict.fromkeys(line["phase"] for line in progress)) == ["packing", "uploading", "checking"]
    places = [line["fraction"] for line in progress]
    assert places == sorted(places)
    assert places[-1] <= 1
    ((_, sha256),) = world.builds(slug)
    size = pushed.result["size"]
    assert pushed.result == pushed.result | {
        "ok": True,
        "game": slug,
        "build": 1,
        "reached": "released",
        "released": True,
        "changed": True,
        "bytesSent": size,
    }
    assert size > 20 * MIB
    listed = slipway("status", "--game", slug, "--json").result["builds"][0]
    assert (listed["size"], listed["checksum"]) == (size, f"sha256:{sha256}")


def test_a_person_sees_one_bar_with_its_phases(slipway: Slipway, slug: str, tmp_path: Path) -> None:
    folder = game_folder(tmp_path, 4 * MIB)
    with terminal(slipway, "push", str(folder), "--game", slug, "--note", "[red]") as person:
        person.sees("Uploading")
        person.sees("Build 1 is live.")
    assert "Packing" in person.seen
    assert "100 % · 4.0 of 4.0 MiB" in person.seen


def test_quiet_says_nothing(slipway: Slipway, slug: str, targz: Path) -> None:
    pushed = slipway("push", targz, "--game", slug, "--quiet")
    assert (pushed.code, pushed.out, pushed.err) == (ExitCode.OK, "", "")


def test_the_only_game_need_not_be_named_but_one_of_several_must(slipway: Slipway, world: World, targz: Path) -> None:
    with world.app.app_context():
        partner = create_partner("Two Games", STUDIO)
        _, key = create_key(partner, "CI", ["read", "write", "upload"], STUDIO)
        own = replace(world, partner_id=partner.id, key=key)
    slipway, slug = slipway.but(SLIPWAY_KEY=key), own.new_game()
    assert slipway("push", targz).code == ExitCode.OK
    assert len(own.builds(slug)) == 1
    other = own.new_game()
    pushed = slipway("push", targz)
    assert pushed.code == ExitCode.USAGE
    assert slug in pushed.err
    assert slipway.but(SLIPWAY_GAME=other)("push", targz).code == ExitCode.OK
    assert len(own.builds(other)) == 1


def test_stored_is_all_that_is_waited_for_if_that_is_asked(slipway: Slipway, slug: str, targz: Path) -> None:
    pushed = slipway("push", targz, "--game", slug, "--wait", "stored", "--json")
    assert (pushed.code, pushed.result["reached"]) == (ExitCode.OK, "stored")
    again = slipway("push", targz, "--game", slug, "--json")
    assert (again.result["build"], again.result["bytesSent"]) == (1, 0)


def test_a_build_can_be_held_back_and_released_later(slipway: Slipway, slug: str, folder: Path) -> None:
    pushed = slipway("push", folder, "--game", slug, "--no-release", "--json")
    assert (pushed.code, pushed.result["reached"], pushed.result["released"]) == (ExitCode.OK, "checked", False)
    assert slipway("status", "--game", slug, "--json").result["releasedBuild"] is None
    assert slipway("release", 1, "--game", slug, "--yes").code == ExitCode.OK
    assert slipway("status", "--game", slug, "--json").result["releasedBuild"] == 1


def test_waiting_for_what_was_forbidden_is_a_usage_error(slipway: Slipway, slug: str, targz: Path) -> None:
    for wait in ("released", "cached"):
        assert slipway("push", targz, "--game", slug, "--no-release", "--wait", wait).code == ExitCode.USAGE


def test_a_game_that_stages_is_not_released(slipway: Slipway, world: World, slug: str, targz: Path) -> None:
    stage(world, slug)
    pushed = slipway("push", targz, "--game", slug, "--wait", "released", "--json")
    assert (pushed.code, pushed.result["build"], pushed.result["reached"]) == (ExitCode.NOT_RELEASED, 1, "checked")
    assert "slipway release 1" in pushed.result["message"]


def test_it_can_be_released_at_once_all_the_same(slipway: Slipway, world: World, slug: str, targz: Path) -> None:
    stage(world, slug)
    assert slipway("push", targz, "--game", slug, "--release", "--wait", "released").code == ExitCode.OK


def test_an_archive_that_the_platform_refuses_after_all_is_not_continued(
    slipway: Slipway, world: World, slug: str, line: StorageLine, tmp_path: Path
) -> None:
    """The game's launcher changes while the archive is sent."""
    archive = tmp_path / "large.tar.gz"
    archive.write_bytes(big_archive(20 * MIB))
    line.hold_after(2 * MIB)
    pushing = slipway.begin("push", archive, "--game", slug, "--json")
    wait_until(lambda: line.holding, 90, "the upload is under way")
    set_game(world, slug, launcher="other.sh")
    line.release()
    pushed = ended(pushing)
    assert (pushed.code, pushed.result["error"]) == (ExitCode.REFUSED_ARCHIVE, "invalid_archive")
    assert "other.sh is not in the archive" in pushed.result["message"]
    assert world.builds(slug) == []
    set_game(world, slug, launcher="paper-lanterns.sh")
    again = slipway("push", archive, "--game", slug, "--json")
    assert (again.code, again.result["bytesSent"]) == (ExitCode.OK, archive.stat().st_size)


def test_a_folder_without_a_game_is_refused_before_anything_is_sent(
    slipway: Slipway, slug: str, line: StorageLine, folder: Path
) -> None:
    pushed = slipway("push", folder.parent, "--game", slug)
    assert pushed.code == ExitCode.REFUSED_ARCHIVE
    assert "has no game/ folder" in pushed.err
    assert line.sent == 0


def test_a_file_that_is_no_gzip_is_refused_before_anything_is_sent(
    slipway: Slipway, slug: str, line: StorageLine, tmp_path: Path
) -> None:
    (tmp_path / "game.zip").write_bytes(b"PK\x03\x04")
    pushed = slipway("push", tmp_path / "game.zip", "--game", slug)
    assert pushed.code == ExitCode.REFUSED_ARCHIVE
    assert "The file is a zip archive, not a tar.gz" in pushed.err
    assert line.sent == 0


def test_what_is_left_out_is_said(slipway: Slipway, slug: str, folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / "game" / "._script.rpy").touch()
    pushed = slipway("push", folder, "--game", slug)
    assert "Left out: 2 (.git, game/._script.rpy)" in pushed.err
    assert slipway("push", folder, "--game", slug, "--json").result["leftOut"] == [".git", "game/._script.rpy"]


def test_memory_does_not_grow_with_the_archive(slipway: Slipway, slug: str, tmp_path: Path) -> None:
    small, large = tmp_path / "small.tar.gz", tmp_path / "large.tar.gz"
    small.write_bytes(game_archive())
    large.write_bytes(big_archive(96 * MIB))
    assert _peak(slipway, slug, large) - _peak(slipway, slug, small) < 24 * 1024


# VmHWM, because ru_maxrss starts at the peak of the process that started this one.
MEASURED = r"""
import atexit, pathlib, re, runpy
atexit.register(lambda: print(re.search(r"VmHWM:\s+(\d+)", pathlib.Path("/proc/self/status").read_text())[1]))
runpy.run_module("slipway.cli", run_name="__main__", alter_sys=True)
"""


def _peak(slipway: Slipway, slug: str, archive: Path) -> int:
    """Peak RSS of a push, in KiB."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, "push", archive, "--game", slug, "--quiet"],
        cwd=ROOT,
        env=slipway.variables(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return int(done.stdout)


def test_nothing_changed_nothing_sent(
    slipway: Slipway, world: World, slug: str, folder: Path, line: StorageLine
) -> None:
    assert push_if_changed(slipway, folder, slug)["changed"]
    line.reset()
    for path in folder.rglob("*"):
        path.touch()
    again = push_if_changed(slipway, folder, slug)
    assert (again["changed"], again["build"], again["reached"]) == (False, 1, "released")
    assert line.sent == 0
    assert slipway("status", "--game", slug, "--json").result["uploads"] == []


def test_another_machine_needs_no_memory_of_the_last_push(
    slipway: Slipway, slug: str, folder: Path, tmp_path: Path
) -> None:
    push_if_changed(slipway, folder, slug)
    fresh = Slipway(tmp_path / "elsewhere", slipway.environment)
    assert not push_if_changed(fresh, folder, slug)["changed"]


def test_any_change_is_sent(slipway: Slipway, world: World, slug: str, folder: Path) -> None:
    push_if_changed(slipway, folder, slug)
    (folder / "game" / "script.rpy").write_text("label begin:\n")
    assert push_if_changed(slipway, folder, slug)["build"] == 2
    (folder / "game" / "script.rpy").chmod(0o755)
    assert push_if_changed(slipway, folder, slug)["build"] == 3
    (folder / "game" / "script.rpy").rename(folder / "game" / "story.rpy")
    assert push_if_changed(slipway, folder, slug)["build"] == 4
    assert len(world.builds(slug)) == 4


def test_only_the_newest_build_counts(slipway: Slipway, slug: str, folder: Path, targz: Path) -> None:
    push_if_changed(slipway, folder, slug)
    assert push_if_changed(slipway, targz, slug)["build"] == 2
    assert not push_if_changed(slipway, targz, slug)["changed"]
    assert push_if_changed(slipway, folder, slug)["build"] == 3


@pytest.mark.parametrize("size", [20 * MIB, MIN_BYTES])  # checked before it is sent, and while it is sent
def test_a_file_that_changes_on_the_way_is_not_published(
    slipway: Slipway, world: World, slug: str, line: StorageLine, tmp_path: Path, size: int
) -> None:
    archive = tmp_path / "large.tar.gz"
    archive.write_bytes(big_archive(size))
    line.hold_after(2 * MIB)
    pushing = slipway.begin("push", archive, "--game", slug, "--json")
    wait_until(lambda: line.holding, 90, "the upload is under way")
    with archive.open("r+b") as file:
        file.seek(18 * MIB)
        file.write(random.Random(5).randbytes(MIB))
    line.release()
    pushed = ended(pushing)
    assert (pushed.code, pushed.result["error"]) == (ExitCode.REFUSED_ARCHIVE, "file_changed")
    assert slipway("status", "--game", slug, "--json").result["uploads"] == []
    assert world.builds(slug) == []


def push_if_changed(slipway: Slipway, path: Path, slug: str) -> dict[str, Any]:
    pushed = slipway("push", path, "--game", slug, "--if-changed", "--json")
    assert pushed.code == ExitCode.OK, pushed
    return pushed.result


def stage(world: World, slug: str) -> None:
    """Set the game not to release by itself."""
    set_game(world, slug, auto_release=False)


def set_game(world: World, slug: str, **fields: object) -> None:
    with world.app.app_context(), writing() as session:
        game = session.get_one(Game, world.game_id(slug))
        for name, value in fields.items():
            setattr(game, name, value)
