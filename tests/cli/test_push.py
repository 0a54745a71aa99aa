"""From a folder or a tar.gz to a build, against the running app."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cli.exit_codes import ExitCode
from tests.archives import add_file, game_archive
from tests.cli.folders import game_folder
from tests.cli.running import Slipway
from tests.uploads.live import World


def test_a_folder_becomes_the_live_build(slipway: Slipway, world: World, slug: str, tmp_path: Path) -> None:
    pushed = slipway("push", game_folder(tmp_path), "--game", slug, "--note", "The festival", "--wait", "released")
    assert (pushed.code, pushed.out) == (ExitCode.OK, "Build 1 is live.\n"), pushed
    assert [number for number, _ in world.builds(slug)] == [1]
    status = slipway("status", "--game", slug, "--json").result
    (build,) = status["builds"]
    assert (status["releasedBuild"], build["note"], build["fileName"]) == (1, "The festival", "PaperLanterns-1.0.tar.gz")
