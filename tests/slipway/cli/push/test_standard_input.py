"""`slipway push -`: an archive from a pipe."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from slipway.cli.exit_codes import ExitCode
from tests.app.uploads.raw.live import World
from tests.game_archives import big_archive, game_archive
from tests.slipway.cli.cli_process import Slipway, ended
from tests.slipway.cli.game_folders import game_folder
from tests.slipway.cli.pseudo_terminal import terminal
from tests.slipway.cli.storage_proxy import StorageLine

pytestmark = pytest.mark.slow


def test_an_archive_from_a_pipe_becomes_a_build(slipway: Slipway, world: World, slug: str) -> None:
    archive = big_archive(20 * 1024**2)
    pushed = slipway.piped(archive, "push", "-", slug, "--json")
    assert (pushed.code, pushed.result["build"], pushed.result["size"]) == (ExitCode.OK, 1, len(archive)), pushed
    assert world.builds(slug) == [(1, hashlib.sha256(archive).hexdigest())]
    assert slipway("builds", slug, "--json").result["builds"][0]["fileName"] == f"{slug}.tar.gz"
    assert list((slipway.home / "cache" / "slipway").iterdir()) == []


def test_from_tar_itself(slipway: Slipway, world: World, slug: str, tmp_path: Path) -> None:
    folder = game_folder(tmp_path)
    packed = subprocess.run(
        ["tar", "czf", "-", "-C", folder.parent, folder.name], capture_output=True, check=True
    ).stdout
    assert slipway.piped(packed, "push", "-", slug).out == "Build 1 is live.\n"


def test_from_a_process_substitution(slipway: Slipway, world: World, slug: str, tmp_path: Path) -> None:
    """`slipway push <(tar czf - mygame)` gets the path of a pipe."""
    archive, pipe = big_archive(3 * 1024**2), tmp_path / "pipe"
    os.mkfifo(pipe)
    pushing = slipway.begin("push", pipe, slug, "--json")
    pipe.write_bytes(archive)
    pushed = ended(pushing)
    assert (pushed.code, pushed.result["size"]) == (ExitCode.OK, len(archive)), pushed
    assert world.builds(slug) == [(1, hashlib.sha256(archive).hexdigest())]


def test_a_pipe_that_breaks_a_rule_is_refused_before_anything_is_sent(
    slipway: Slipway, slug: str, line: StorageLine
) -> None:
    for content, problem in (
        (b"", "The file is empty"),
        (b"PK\x03\x04" + bytes(1000), "The file is a zip archive"),
        (game_archive(launcher="other.sh"), "is not in the archive"),
    ):
        pushed = slipway.piped(content, "push", "-", slug)
        assert pushed.code == ExitCode.REFUSED_ARCHIVE
        assert problem in pushed.err
    assert line.sent == 0


def test_a_dry_run_of_a_pipe_keeps_nothing(slipway: Slipway, slug: str, line: StorageLine) -> None:
    dry = slipway.piped(game_archive(), "push", "-", slug, "--dry-run", "--json")
    assert (dry.code, dry.result["bytesToSend"]) == (ExitCode.OK, len(game_archive()))
    assert line.sent == 0
    assert list((slipway.home / "cache").rglob("*")) == []


def test_the_same_bytes_again_are_not_sent(slipway: Slipway, slug: str) -> None:
    slipway.piped(game_archive(), "push", "-", slug)
    again = slipway.piped(game_archive(), "push", "-", slug, "--json").result
    assert (again["changed"], again["bytesSent"], again["build"]) == (False, 0, 1)
    noted = slipway.piped(game_archive(), "push", "-", slug, "--note", "The festival")
    assert "Build 1 keeps its own note and version label" in noted.err


def test_a_terminal_is_no_archive(slipway: Slipway, slug: str) -> None:
    with terminal(slipway, "push", "-", slug, code=ExitCode.USAGE) as person:
        person.sees("Standard input is a terminal. Pipe a tar.gz into it")
