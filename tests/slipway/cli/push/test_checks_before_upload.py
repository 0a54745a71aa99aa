"""What can be known before an upload is checked before it: nothing is sent, and the platform has no upload of it."""

from __future__ import annotations

import gzip
import io
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from app.accounts.build_quota import build_quota
from app.accounts.partners import set_build_quota
from app.data.extensions import db
from app.data.models.game import Game
from app.data.models.partner import Partner
from app.storage.embedded_server import StorageAccess
from slipway.cli.exit_codes import ExitCode
from slipway.client.sizes import format_size
from tests.app.uploads.raw.live import STUDIO, Gunicorn, World, world_on_sqlite
from tests.game_archives import add_file, game_archive
from tests.slipway.cli.cli_process import Ended, Slipway
from tests.slipway.cli.game_folders import LAUNCHER, game_folder
from tests.slipway.cli.push.test_push_outcome import key_with
from tests.slipway.cli.storage_proxy import StorageLine

pytestmark = pytest.mark.slow

MIB = 1024**2


def nothing_was_sent(slipway: Slipway, slug: str, line: StorageLine) -> None:
    assert line.sent == 0
    found = slipway("status", slug, "--json").result
    assert (found["uploads"], found["builds"]) == ([], [])


def refused(slipway: Slipway, slug: str, line: StorageLine, path: Path, code: ExitCode) -> Ended:
    line.reset()
    pushed = slipway("push", path, slug, "--json")
    assert pushed.code == code, pushed
    assert pushed.result["bytesSent"] == 0
    nothing_was_sent(slipway, slug, line)
    return pushed


def no_launcher(folder: Path) -> None:
    (folder / LAUNCHER).unlink()


def launcher_without_x(folder: Path) -> None:
    (folder / LAUNCHER).chmod(0o644)


def absolute_link(folder: Path) -> None:
    (folder / "game" / "fonts").symlink_to("/usr/share/fonts")


def link_out_of_the_game(folder: Path) -> None:
    (folder / "game" / "shared").symlink_to("../../shared")


def name_with_backslash(folder: Path) -> None:
    (folder / "game" / "images\\bg.png").touch()


def nothing_but_padding(folder: Path) -> None:
    with (folder / "game" / "padding.bin").open("wb") as file:
        file.truncate(200 * MIB)


RULES: list[tuple[Callable[[Path], None], str, str]] = [
    (no_launcher, f"The launcher PaperLanterns-1.0/{LAUNCHER} is not in the archive", "Put it at the root"),
    (launcher_without_x, "is not executable", f"chmod +x PaperLanterns-1.0/{LAUNCHER}. Then push again."),
    (absolute_link, "game/fonts points to the absolute path /usr/share/fonts", "Use a relative link"),
    (link_out_of_the_game, "game/shared points outside the archive", "Use a relative link"),
    (name_with_backslash, "has a backslash in its name", "Then push again."),
    (nothing_but_padding, "unpacks to more than 200 times its size", "Remove files that contain nothing but padding"),
]


@pytest.mark.parametrize(("break_rule", "problem", "remedy"), RULES, ids=[rule[0].__name__ for rule in RULES])
def test_a_folder_that_breaks_a_rule(
    slipway: Slipway,
    slug: str,
    line: StorageLine,
    tmp_path: Path,
    break_rule: Callable[[Path], None],
    problem: str,
    remedy: str,
) -> None:
    folder = game_folder(tmp_path)
    break_rule(folder)
    message = refused(slipway, slug, line, folder, ExitCode.REFUSED_ARCHIVE).result["message"]
    assert problem in message
    assert remedy in message
    assert "tar czf" not in message  # the folder is packed by the command


def test_a_sparse_file_before_the_others_is_no_bomb(slipway: Slipway, slug: str, tmp_path: Path) -> None:
    folder = game_folder(tmp_path, 2 * MIB)
    with (folder / "a-save.bin").open("wb") as file:
        file.truncate(80 * MIB)
    assert slipway("push", folder, slug, "--no-release").code == ExitCode.OK


def test_a_targz_that_breaks_a_rule_gets_the_platforms_message(
    slipway: Slipway, slug: str, line: StorageLine, tmp_path: Path
) -> None:
    path = tmp_path / "game.tar.gz"
    path.write_bytes(game_archive(launcher="other.sh"))
    message = refused(slipway, slug, line, path, ExitCode.REFUSED_ARCHIVE).result["message"]
    assert f"{LAUNCHER} is not in the archive; at the root are other.sh" in message
    path.write_bytes(game_archive()[:-100])
    message = refused(slipway, slug, line, path, ExitCode.REFUSED_ARCHIVE).result["message"]
    assert "The file ends in the middle of its gzip stream" in message


def test_a_bomb(slipway: Slipway, slug: str, line: StorageLine, tmp_path: Path) -> None:
    unpacked = io.BytesIO()
    with tarfile.open(fileobj=unpacked, mode="w") as tar:
        add_file(tar, f"mygame/{LAUNCHER}", b"#!/bin/sh\n", 0o755)
        add_file(tar, "mygame/game/padding.bin", bytes(200 * MIB))
    path = tmp_path / "bomb.tar.gz"
    path.write_bytes(gzip.compress(unpacked.getvalue(), 9))
    message = refused(slipway, slug, line, path, ExitCode.REFUSED_ARCHIVE).result["message"]
    assert "more than 200 times its size" in message


def test_a_key_that_may_not_send_is_refused_before_the_folder_is_read(
    slipway: Slipway, world: World, slug: str, line: StorageLine, tmp_path: Path
) -> None:
    folder = game_folder(tmp_path)
    reader = slipway.but(SLIPWAY_KEY=key_with(world, "read"))
    pushed = reader("push", folder, slug, "--json")
    assert (pushed.code, pushed.result["error"]) == (ExitCode.UNAUTHORIZED, "forbidden")
    assert "lacks the scope `upload`" in pushed.result["message"]
    assert [entry for entry in pushed.lines if entry["event"] == "progress"] == []
    nothing_was_sent(slipway, slug, line)


def test_the_limits_of_the_platform(storage: StorageAccess, empty_sqlite: Path, tmp_path: Path) -> None:
    limits = {"MAX_ARCHIVE_BYTES": str(MIB), "MAX_UNPACKED_BYTES": str(2 * MIB)}
    folder = game_folder(tmp_path, 3 * MIB // 2)
    empty = game_folder(tmp_path / "empty", 0)
    (empty / "game" / "zeros.bin").write_bytes(bytes(3 * MIB))
    with world_on_sqlite(tmp_path / "instance", empty_sqlite, storage, **limits) as world:
        platform = Gunicorn(world.settings, tmp_path / "log", MAX_UNPACKED_BYTES=limits["MAX_UNPACKED_BYTES"]).start()
        try:
            slipway = Slipway(tmp_path / "home", {"SLIPWAY_URL": platform.address, "SLIPWAY_KEY": world.key})
            slug = world.new_game()
            large = slipway("push", folder, slug, "--json")
            unpacked = slipway("push", empty, slug, "--json")
        finally:
            platform.kill()
    assert (large.code, large.result["error"]) == (ExitCode.REFUSED, "payload_too_large")
    assert "larger than 1 MiB, the limit of this platform" in large.result["message"]
    assert unpacked.code == ExitCode.REFUSED_ARCHIVE
    assert "unpacks to more than 2097152 bytes" in unpacked.result["message"]


def test_a_dry_run_sends_nothing_and_shows_what_would_be_sent(
    slipway: Slipway, slug: str, line: StorageLine, tmp_path: Path
) -> None:
    folder = game_folder(tmp_path, MIB)
    (folder / ".DS_Store").touch()
    dry = slipway("push", folder, slug, "--dry-run", "--json")
    assert dry.code == ExitCode.OK, dry
    nothing_was_sent(slipway, slug, line)
    assert not (slipway.config / "unfinished").exists()
    assert list((slipway.home / "cache").rglob("*")) == []  # not even packed to disk
    pushed = slipway("push", folder, slug, "--json").result
    assert (dry.result["size"], dry.result["bytesToSend"]) == (pushed["size"], pushed["bytesSent"])
    assert dry.result["leftOut"] == [".DS_Store"]
    checksum = slipway("builds", slug, "--json").result["builds"][0]["checksum"]
    assert dry.result["checksum"] == checksum
    assert (dry.result["dryRun"], dry.result["changed"]) == (True, True)
    text = slipway("push", tmp_path / folder.name, slug, "--dry-run")
    assert text.out == "Nothing would be sent: build 1 has the same content.\n"


def test_a_dry_run_names_the_size_and_the_verdict(slipway: Slipway, slug: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(game_archive(payload=bytes(range(256)) * 8192))
    size = path.stat().st_size
    assert size > MIB
    dry = slipway("push", path, slug, "--dry-run")
    assert dry.out == (
        "Would send 2.0 MiB as a.tar.gz. The archive passes the platform's rules. Nothing was sent.\n"
    ), dry
    path.write_bytes(game_archive(launcher="other.sh"))
    refused_dry = slipway("push", path, slug, "--dry-run")
    assert refused_dry.code == ExitCode.REFUSED_ARCHIVE
    assert "is not in the archive" in refused_dry.err


def test_a_dry_run_knows_the_quota(slipway: Slipway, world: World, tmp_path: Path) -> None:
    key, slug = world.other_partner()
    with world.app.app_context():
        partner = db.session.get_one(Partner, partner_of(world, slug))
        set_build_quota(partner, MIB, STUDIO)
        left = build_quota(db.session(), partner).left or 0
    folder = game_folder(tmp_path, 2 * MIB)
    dry = slipway.but(SLIPWAY_KEY=key)("push", folder, slug, "--dry-run", "--json")
    assert (dry.code, dry.result["error"]) == (ExitCode.REFUSED, "quota_exceeded")
    assert f"only {format_size(left)} of the quota for builds" in dry.result["message"]


def partner_of(world: World, slug: str) -> str:
    with world.app.app_context():
        return db.session.get_one(Game, world.game_id(slug)).partner_id


# A command of a version that does not know this warning.
KNOWS_NO_CLASHES = (
    sys.executable,
    "-c",
    "import runpy; from slipway.archive.path_tree import PathTree; PathTree.warnings = lambda tree: ();"
    "runpy.run_module('slipway.cli', run_name='__main__', alter_sys=True)",
)


def test_warnings_that_only_the_platform_finds_are_printed_after_its_check(
    slipway: Slipway, slug: str, tmp_path: Path
) -> None:
    folder = game_folder(tmp_path)
    (folder / "game" / "SCRIPT.rpy").touch()
    pushed = slipway("push", folder, slug, command=KNOWS_NO_CLASHES)
    assert pushed.code == ExitCode.OK
    assert pushed.err.count("Warning: ") == 1
    assert pushed.err.index("Warning: PaperLanterns-1.0/game/script.rpy differs") > pushed.err.index("Checking")


def test_warnings_are_printed_before_the_upload(slipway: Slipway, slug: str, tmp_path: Path) -> None:
    folder = game_folder(tmp_path)
    (folder / "game" / "SCRIPT.rpy").touch()
    warning = "PaperLanterns-1.0/game/script.rpy differs from another name only in upper and lower case"
    pushed = slipway("push", folder, slug)
    assert f"Warning: {warning}" in pushed.err
    assert pushed.err.index("Warning") < pushed.err.index("Uploading")
    assert pushed.err.count("Warning") == 1
    assert slipway("push", folder, slug, "--json").result["warnings"] == [warning]
    assert f"Build 1: {warning}" in slipway("builds", slug).out
