"""Builds on disk are never changed: their modes, builds of older agents, and the launch script of docs/agents.md."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slipway.agent.agent_process import Agent
from slipway.agent.cache.cache_layout import CacheLayout
from slipway.agent.path_names import BuildKey
from slipway.packs.tree_modes import make_read_only, remove_tree
from tests.slipway.agent.agent_process import ROOT
from tests.slipway.agent.platform_server import Platform
from tests.slipway.agent.sample_games import game_of, make_game
from tests.slipway.agent.storage_server import StorageServer
from tests.slipway.agent.wait_for import wait_for

# A game that tries to write into its own directory, and writes to the directory for saved games that it was given.
GAME = b"""#!/bin/sh
[ "$1" = --savedir ] && saves=$2
id -un > "$saves/player"
pwd > "$saves/directory"
for path in log.txt game/script.rpy game/new.rpyc renpy paper-lanterns.sh; do
    (echo spoilt >> "$path") 2>/dev/null && echo "$path" >> "$saves/written"
    [ -e "$path" ] && rm -rf "$path" 2>/dev/null && echo "$path" >> "$saves/deleted"
done
exit 7
"""


def modes(root: Path) -> set[int]:
    return {path.lstat().st_mode & 0o7777 for path in root.rglob("*") if not path.is_symlink()}


def test_every_file_becomes_read_only_and_a_program_stays_one(tmp_path: Path) -> None:
    root = tmp_path / "build"
    (root / "game/empty").mkdir(parents=True)
    for name, mode in (("game/a", 0o666), ("game/b", 0o600), ("game/c.sh", 0o777), ("game/d.sh", 0o700)):
        (root / name).touch()
        (root / name).chmod(mode)
    outside = tmp_path / "outside"
    outside.touch(0o644)
    (root / "game/link").symlink_to(outside)
    make_read_only(root)
    assert {path.name: path.stat().st_mode & 0o777 for path in root.rglob("*")} == {
        "game": 0o555,
        "empty": 0o555,
        "a": 0o444,
        "b": 0o444,
        "c.sh": 0o555,
        "d.sh": 0o555,
        "link": 0o644,
    }
    assert outside.stat().st_mode & 0o777 == 0o644, "not by way of a link"
    remove_tree(root)
    assert not root.exists()
    assert outside.exists()


@pytest.mark.slow
def test_builds_of_an_older_agent_become_read_only_at_the_start(
    platform: Platform, storage: StorageServer, start_agent: Callable[..., Agent], cache: Path
) -> None:
    game = make_game(1)
    platform.release("g1", 1, game)
    agent = start_agent()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")
    agent.stop()
    os.close(agent._lock)
    build, marker = cache / "g1" / "1", CacheLayout(cache).marker(BuildKey("g1", 1))
    for path in build.rglob("*"):
        path.chmod(0o775 if path.is_dir() or path.stat().st_mode & 0o100 else 0o664)
    old = json.loads(marker.read_text())
    marker.write_text(json.dumps({name: old[name] for name in old if name not in {"read_only", "source"}}))
    served, reports = storage.bytes_served, len(platform.reports)
    start_agent()
    wait_for(lambda: len(platform.reports) > reports, "a report of the new agent")
    assert modes(build) == {0o444, 0o555}
    assert json.loads(marker.read_text())["read_only"] is True
    assert storage.bytes_served == served
    assert game.lies_in(cache / "g1" / "current")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A directory that every user may reach, as /srv is. Ask for it before the agent, which must have stopped when it
    goes."""
    folder = Path(tempfile.mkdtemp(prefix="srv-"))
    folder.chmod(0o755)
    yield folder
    for path in folder.iterdir():
        remove_tree(path)
    folder.rmdir()


def shown_script(cache: Path) -> str:
    """The launch script of docs/agents.md, with this machine's users and paths. The agent runs as root here, because
    the interpreter may lie in root's home."""
    page = (ROOT / "docs" / "agents.md").read_text()
    scripts: list[str] = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    (script,) = (script for script in scripts if "--savedir" in script)
    for shown, here in (
        ("runuser -u slipway -- /opt/slipway/bin/slipway-agent", f"{sys.executable} -m slipway.agent"),
        ("/srv/games", str(cache)),
        ("-o player", "-o nobody"),
        ("id -gn player", "id -gn nobody"),
        ("runuser -u player", "runuser -u nobody"),
    ):
        assert shown in script
        script = script.replace(shown, here)
    assert "player" not in script
    return script


@pytest.mark.slow
def test_the_shown_launch_script_runs_the_game_as_another_user_who_cannot_change_it(
    open_folder: Path, platform: Platform, start_agent: Callable[..., Agent]
) -> None:
    if os.geteuid() != 0 or not shutil.which("runuser"):
        pytest.skip("only root can start a game as another user")
    cache, saves = open_folder / "games", open_folder / "saves" / "slot-1"
    first = make_game(1)
    game = game_of(first, first.files | {"paper-lanterns.sh": GAME})
    platform.release("g1", 1, game)
    start_agent(cache=cache)
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")
    script = open_folder / "play.sh"
    script.write_text(shown_script(cache))
    done = subprocess.run(
        ["bash", script, "g1", saves],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 7, done.stderr
    assert (saves / "player").read_text() == "nobody\n"
    assert (saves / "directory").read_text() == f"{cache}/g1/1/{game.top_directory}\n"
    assert not (saves / "written").exists()
    assert not (saves / "deleted").exists()
    assert saves.stat().st_mode & 0o777 == 0o700
    assert game.lies_in(cache / "g1" / "current")
    wait_for(lambda: platform.ended, "the session has ended on the platform")
    assert platform.sessions == {}


@pytest.mark.slow
def test_the_shown_launch_script_passes_on_why_no_game_starts(
    open_folder: Path, platform: Platform, start_agent: Callable[..., Agent]
) -> None:
    cache = open_folder / "games"
    start_agent(cache=cache)
    script = open_folder / "play.sh"
    script.write_text(shown_script(cache))
    done = subprocess.run(
        ["bash", script, "g9", open_folder / "saves"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 4
    assert "the game g9 does not exist" in done.stderr
