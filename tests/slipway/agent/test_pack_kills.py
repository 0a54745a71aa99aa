"""The agent killed while it makes a build from a pack: the right tree afterwards, and no chunk fetched twice."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from slipway.agent.cache.cache_layout import CacheLayout
from slipway.agent.crash_points import PACK_NAMES
from slipway.agent.packs.assemblies import Assembly
from slipway.agent.path_names import BuildKey
from tests.slipway.agent.agent_process import AgentProcess, ordinary_user
from tests.slipway.agent.packed_games import PackedGame, pack_game
from tests.slipway.agent.platform_server import Platform
from tests.slipway.agent.sample_games import Game, make_versions
from tests.slipway.agent.storage_server import Served, StorageServer
from tests.slipway.agent.wait_for import wait_for
from tests.slipway.packs.test_resuming import assert_not_sent, chunks_in_place

pytestmark = pytest.mark.slow

StartProcess = Callable[..., AgentProcess]
SHARED_POINTS = ("after-plan", "before-rename", "after-rename", "before-current", "after-current")
PLACED = {"after-pack", *SHARED_POINTS[1:]}


@pytest.fixture(scope="module")
def games() -> tuple[Game, Game]:
    return make_versions()


@pytest.fixture(scope="module")
def packs(games: tuple[Game, Game], tmp_path_factory: pytest.TempPathFactory) -> tuple[PackedGame, PackedGame]:
    folder = tmp_path_factory.mktemp("packs")
    first = pack_game(folder, 1, games[0])
    return first, pack_game(folder, 2, games[1], (1, first))


@pytest.fixture
def user(cache: Path) -> str:
    """Modes do not stop root, so the agent runs as an ordinary user here."""
    cache.mkdir()
    return ordinary_user(cache)


def publish(platform: Platform, games: tuple[Game, Game], packs: tuple[PackedGame, PackedGame], number: int) -> None:
    with platform.changed:
        platform.release("g1", number, games[number - 1])
        platform.publish_pack("g1", number, packs[number - 1])


def in_view_is_whole(cache: Path, games: tuple[Game, Game]) -> bool:
    builds = [cache / "g1" / str(number) for number in (1, 2)]
    whole = all(
        not build.exists() or game.lies_in(build / game.top_directory)
        for build, game in zip(builds, games, strict=True)
    )
    current = cache / "g1" / "current"
    return whole and (not current.is_symlink() or current.resolve().parent in [build.resolve() for build in builds])


def nothing_unfinished(cache: Path) -> bool:
    return all(
        not list((cache / ".slipway" / name).iterdir()) for name in ("downloads", "unpack", "assembling", "trash")
    )


def check_resumed(packed: PackedGame, in_place: set[int], requests: list[Served]) -> None:
    """No chunk that was in place was asked for again, but in the gap between two that were missing."""
    ranges = [(served.start, served.length) for served in requests if served.path.endswith("/pack")]
    assert_not_sent(packed.index, ranges, in_place)


def killed_and_started_again(
    point: str,
    number: int,
    platform: Platform,
    storage: StorageServer,
    start_process: StartProcess,
    cache: Path,
    games: tuple[Game, Game],
    packs: tuple[PackedGame, PackedGame],
    user: str,
) -> None:
    packed = packs[number - 1]
    assert start_process(crash_at=point, user=user).wait(60) == -signal.SIGKILL
    assert in_view_is_whole(cache, games)
    assembly = Assembly(CacheLayout(cache), BuildKey("g1", number), packed.reference.sha256)
    in_place = chunks_in_place(packed.index, assembly.tree)
    before = len(storage.served)
    start_process(user=user)
    wait_for(lambda: platform.phase("g1", number) == "cached", f"build {number} cached after the restart", seconds=60)
    assert games[number - 1].lies_in(cache / "g1" / "current")
    wait_for(lambda: nothing_unfinished(cache), "everything half done cleared away")
    check_resumed(packed, in_place, storage.served[before:])
    if point in PLACED:
        assert storage.served[before:] == []


@pytest.mark.parametrize("point", [*PACK_NAMES, *SHARED_POINTS])
def test_killed_while_a_pack_is_installed(
    point: str,
    platform: Platform,
    storage: StorageServer,
    start_process: StartProcess,
    cache: Path,
    games: tuple[Game, Game],
    packs: tuple[PackedGame, PackedGame],
    user: str,
) -> None:
    publish(platform, games, packs, 1)
    killed_and_started_again(point, 1, platform, storage, start_process, cache, games, packs, user)


@pytest.mark.parametrize("point", [*PACK_NAMES, *SHARED_POINTS])
def test_killed_while_an_update_is_made(
    point: str,
    platform: Platform,
    storage: StorageServer,
    start_process: StartProcess,
    cache: Path,
    games: tuple[Game, Game],
    packs: tuple[PackedGame, PackedGame],
    user: str,
) -> None:
    platform.keep_previous = 1
    publish(platform, games, packs, 1)
    first = start_process(user=user)
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached", seconds=60)
    first.kill()
    publish(platform, games, packs, 2)
    killed_and_started_again(point, 2, platform, storage, start_process, cache, games, packs, user)
    assert games[0].lies_in(cache / "g1" / "1" / games[0].top_directory), "the older build is as it was"


def test_the_progress_of_a_resumed_install_begins_with_what_was_kept(
    platform: Platform,
    storage: StorageServer,
    start_process: StartProcess,
    cache: Path,
    games: tuple[Game, Game],
    packs: tuple[PackedGame, PackedGame],
    user: str,
) -> None:
    packed = packs[0]
    tree = Assembly(CacheLayout(cache), BuildKey("g1", 1), packed.reference.sha256).tree

    def kept() -> int:
        return sum(packed.index.chunks.stored[chunk] for chunk in chunks_in_place(packed.index, tree))

    total = packed.index.pack_bytes + len(packed.objects["index"])
    storage.faults.hold_after = total // 2  # later parts of the pack are not sent
    publish(platform, games, packs, 1)
    process = start_process(user=user)
    wait_for(lambda: kept() > total // 4, "a part of the pack is in place")
    process.kill()
    before, boot = kept(), platform.boot
    start_process(user=user)

    def resumed() -> list[dict[str, Any]]:
        """What the new process has reported of its download."""
        reports = [report for report in platform.reports if report["bootId"] != boot]
        return [row for report in reports for row in report["builds"] if row["phase"] == "downloading"]

    wait_for(lambda: bool(resumed()), "the install continues")
    rows = resumed()
    assert all(before * 0.9 <= row["bytesDone"] < row["bytesTotal"] == total for row in rows), (before, rows)
    storage.go_on.set()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached", seconds=60)


def test_an_ordinary_user_links_unchanged_files_and_evicts_what_is_read_only(
    platform: Platform,
    start_process: StartProcess,
    cache: Path,
    games: tuple[Game, Game],
    packs: tuple[PackedGame, PackedGame],
    user: str,
) -> None:
    platform.keep_previous = 1
    publish(platform, games, packs, 1)
    start_process(user=user)
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached", seconds=60)
    publish(platform, games, packs, 2)
    wait_for(lambda: platform.phase("g1", 2) == "cached", "build 2 cached", seconds=60)
    top = games[0].top_directory
    old, new = cache / "g1/1" / top, cache / "g1/2" / top
    assert (old / "renpy/common.rpy").samefile(new / "renpy/common.rpy")
    assert not (old / "game/script.rpy").samefile(new / "game/script.rpy")
    modes = {path.stat().st_mode & 0o222 for path in [old, new, *old.rglob("*"), *new.rglob("*")]}
    assert modes == {0}, "nobody may write, not even the owner"
    assert games[0].lies_in(old)
    with platform.changed:
        platform.keep_previous = 0
        platform.retry_now("g1", 2)  # a new plan
    wait_for(lambda: not (cache / "g1" / "1").exists(), "build 1 evicted")
    wait_for(lambda: nothing_unfinished(cache), "the trash emptied")
    assert games[1].lies_in(new)


def survives_kills(
    kills: int,
    seed: int,
    platform: Platform,
    storage: StorageServer,
    start_process: StartProcess,
    cache: Path,
    games: tuple[Game, Game],
    packs: tuple[PackedGame, PackedGame],
    user: str,
) -> None:
    """Release the two builds in turn, and kill the agent at some moment after its start, again and again."""
    print(f"seed {seed}")  # noqa: T201 - what a failed run is repeated with
    chance = random.Random(seed)
    number = 1
    publish(platform, games, packs, number)
    began = time.monotonic()
    process = start_process(user=user)
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached", seconds=60)
    takes = time.monotonic() - began
    for _ in range(kills):
        if chance.random() < 0.6:
            number = 3 - number
            publish(platform, games, packs, number)
        dies_at = time.monotonic() + chance.uniform(0, 1.2 * takes)
        wait_for(lambda moment=dies_at: time.monotonic() > moment, "the moment", seconds=60)  # type: ignore[misc]
        process.kill()
        assert in_view_is_whole(cache, games)
        tree = Assembly(CacheLayout(cache), BuildKey("g1", number), packs[number - 1].reference.sha256).tree
        in_place = chunks_in_place(packs[number - 1].index, tree)
        before, reports = len(storage.served), len(platform.reports)
        process = start_process(user=user)
        is_back = partial(_is_back, platform, reports, number)
        wait_for(is_back, "the release is cached, in a report of the new process", seconds=60)
        requests = [served for served in storage.served[before:] if f"/{number}/" in served.path]
        check_resumed(packs[number - 1], in_place, requests)
        assert games[number - 1].lies_in(cache / "g1" / "current")


def _is_back(platform: Platform, reports: int, number: int) -> bool:
    return len(platform.reports) > reports and platform.phase("g1", number) == "cached"


def test_killed_at_six_random_moments(
    platform: Platform,
    storage: StorageServer,
    start_process: StartProcess,
    cache: Path,
    games: tuple[Game, Game],
    packs: tuple[PackedGame, PackedGame],
    user: str,
) -> None:
    survives_kills(6, 20_261_129, platform, storage, start_process, cache, games, packs, user)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_killed_at_two_hundred_random_moments(
    platform: Platform,
    storage: StorageServer,
    start_process: StartProcess,
    cache: Path,
    games: tuple[Game, Game],
    packs: tuple[PackedGame, PackedGame],
    user: str,
) -> None:
    seed = int(os.environ.get("SLIPWAY_SOAK_SEED") or random.SystemRandom().randrange(10**9))
    kills = int(os.environ.get("SLIPWAY_SOAK_KILLS") or 200)
    survives_kills(kills, seed, platform, storage, start_process, cache, games, packs, user)
