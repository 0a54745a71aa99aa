"""The agent killed at every named point, as by a power cut, and started again: the right tree, one download."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from slipway.agent.cache.build_store import Inventory
from slipway.agent.cache.cache_layout import CacheLayout
from slipway.agent.crash_points import NAMES
from tests.slipway.agent.agent_process import AgentProcess
from tests.slipway.agent.platform_server import Platform
from tests.slipway.agent.sample_games import Game, make_game
from tests.slipway.agent.storage_server import StorageServer
from tests.slipway.agent.wait_for import wait_for

pytestmark = pytest.mark.slow

StartProcess = Callable[..., AgentProcess]

WHEN_EVICTING = ("mid-evict", "after-evict-rename")
NOTHING_FETCHED_YET = ("after-plan", "before-report", "after-report")


@pytest.fixture(scope="module")
def game() -> Game:
    return make_game(1, size=3 << 20)


@pytest.fixture(scope="module")
def update() -> Game:
    return make_game(2, size=1 << 20, top="paper-lanterns-1.1")


def private_files(cache: Path) -> list[str]:
    folders = ("downloads", "unpack", "trash")
    return [path.name for folder in folders for path in (cache / ".slipway" / folder).iterdir()]


def what_is_in_view_is_whole(cache: Path, game: Game) -> bool:
    """Whoever looks at this moment finds either nothing or the whole game."""
    build, current = cache / "g1" / "1", cache / "g1" / "current"
    return (not build.exists() or game.lies_in(build / game.top_directory)) and (
        not current.is_symlink() or game.lies_in(current)
    )


def test_what_a_kill_left_of_a_note_is_cleared_away(cache: Path) -> None:
    layout = CacheLayout(cache)
    layout.create()
    of_the_agent = [folder / ".g1.1.json.new" for folder in (layout.downloads, layout.markers)]
    of_a_script, being_written = (layout.sessions / f".{name}.json.new" for name in ("s1", "s2"))
    for path in (*of_the_agent, of_a_script, being_written):
        path.write_text('{"sha2')
    os.utime(of_a_script, (0, 0))
    Inventory(layout).repair()
    assert [path for path in (*of_the_agent, of_a_script) if path.exists()] == []
    assert being_written.exists(), "a launch script may be at it"


@pytest.mark.parametrize("point", [name for name in NAMES if name not in WHEN_EVICTING])
def test_killed_while_a_build_arrives(
    point: str, platform: Platform, storage: StorageServer, start_process: StartProcess, cache: Path, game: Game
) -> None:
    platform.release("g1", 1, game)
    assert start_process(crash_at=point).wait() == -signal.SIGKILL
    assert what_is_in_view_is_whole(cache, game)
    part = cache / ".slipway" / "downloads" / "g1.1.part"
    held = part.stat().st_size if part.exists() else 0
    # What another thread has verified and is unpacking, or has put in place, needs no byte again either.
    is_all_there = not part.exists() and storage.bytes_served >= game.size
    fetched = len(storage.served)

    start_process()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached after the restart")
    assert game.lies_in(cache / "g1" / "current")
    wait_for(lambda: private_files(cache) == [], "everything half done cleared away")
    again = storage.served[fetched:]
    if point == "mid-download":
        assert game.size // 2 <= held < game.size
        assert [(request.start, request.sent) for request in again] == [(held, game.size - held)]
    elif point in NOTHING_FETCHED_YET:
        # The first thread to get to its point ends the process. On a busy machine another one may have fetched some
        # bytes by then, or all of them.
        assert sum(request.sent for request in again) == (0 if is_all_there else game.size - held)
    else:
        assert again == []
        assert storage.bytes_served == game.size


@pytest.mark.parametrize("point", WHEN_EVICTING)
def test_killed_while_a_build_is_evicted(
    point: str,
    platform: Platform,
    storage: StorageServer,
    start_process: StartProcess,
    cache: Path,
    game: Game,
    update: Game,
) -> None:
    platform.release("g1", 1, game)
    first = start_process()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")
    first.kill()
    platform.release("g1", 2, update)
    assert start_process(crash_at=point).wait() == -signal.SIGKILL
    assert update.lies_in(cache / "g1" / "current")

    start_process()
    wait_for(lambda: platform.phase("g1", 1) in (None, "removed"), "build 1 no longer held")
    assert platform.phase("g1", 2) == "cached"
    assert sorted(path.name for path in (cache / "g1").iterdir()) == ["2", "current"]
    wait_for(lambda: private_files(cache) == [], "the trash emptied")
    assert storage.bytes_served == game.size + update.size


def test_a_restart_downloads_nothing_that_is_whole(
    platform: Platform, storage: StorageServer, start_process: StartProcess, cache: Path, game: Game
) -> None:
    platform.release("g1", 1, game)
    first = start_process()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")
    first.kill()
    reports = len(platform.reports)
    start_process()
    wait_for(lambda: len(platform.reports) > reports, "a report of the new process")
    assert platform.reports[reports]["builds"][0]["phase"] == "cached"
    assert storage.bytes_served == game.size


def test_a_part_that_was_damaged_while_the_agent_was_away_is_fetched_anew(
    platform: Platform, storage: StorageServer, start_process: StartProcess, cache: Path, game: Game
) -> None:
    platform.release("g1", 1, game)
    assert start_process(crash_at="after-download").wait() == -signal.SIGKILL
    part = cache / ".slipway" / "downloads" / "g1.1.part"
    part.write_bytes(game.archive[:1000] + b"\0" * (game.size - 1000))  # As ext4 may leave it after a power cut.
    process = start_process()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")
    assert game.lies_in(cache / "g1" / "current")
    assert storage.bytes_served == 2 * game.size
    assert "wrong digest" in process.log
