"""Builds that the plan keeps for rolling back: free to go back to, first to go when space is needed."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from slipway.agent.agent_process import Agent
from slipway.agent.cache.next_actions import BuildsInUse, choose_for_space
from slipway.agent.path_names import BuildKey
from slipway.packs.tree_modes import remove_tree
from tests.slipway.agent.agent_process import AgentProcess
from tests.slipway.agent.packed_games import PackedGame, pack_game
from tests.slipway.agent.platform_server import Platform
from tests.slipway.agent.sample_games import Game, make_game, make_versions
from tests.slipway.agent.storage_server import StorageServer
from tests.slipway.agent.test_cache_actions import G1_1, G1_2, G2_1, on_disk, plan
from tests.slipway.agent.wait_for import wait_for

StartAgent = Callable[..., Agent]
StartProcess = Callable[..., AgentProcess]
SIZE = 4 << 20


@pytest.fixture(scope="module")
def games() -> tuple[Game, Game]:
    return make_versions(SIZE)


@pytest.fixture(scope="module")
def packs(games: tuple[Game, Game], tmp_path_factory: pytest.TempPathFactory) -> tuple[PackedGame, PackedGame]:
    folder = tmp_path_factory.mktemp("packs")
    first = pack_game(folder, 1, games[0])
    return first, pack_game(folder, 2, games[1], (1, first))


def release_both(platform: Platform, games: tuple[Game, Game], packs: tuple[PackedGame, PackedGame]) -> None:
    """Build 1, and then build 2, with build 1 kept."""
    platform.keep_previous = 1
    for number, game, packed in zip((1, 2), games, packs, strict=True):
        with platform.changed:
            platform.release("g1", number, game)
            platform.publish_pack("g1", number, packed)
        wait_for(lambda number=number: platform.phase("g1", number) == "cached", "cached", seconds=60)  # type: ignore[misc]


def needs_mount_namespaces() -> None:
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody make a mount namespace")


@pytest.mark.slow
def test_rolling_back_transfers_nothing_and_takes_less_than_two_seconds(
    platform: Platform,
    storage: StorageServer,
    start_agent: StartAgent,
    cache: Path,
    games: tuple[Game, Game],
    packs: tuple[PackedGame, PackedGame],
) -> None:
    start_agent()
    release_both(platform, games, packs)
    requests, took, link = len(storage.headers), [], cache / "g1" / "current"
    for number in (1, 2, 1, 2, 1):
        began = time.monotonic()
        platform.release("g1", number, games[number - 1])
        wait_for(lambda number=number: link.readlink().parts[0] == str(number), "current moved")  # type: ignore[misc]
        took.append(time.monotonic() - began)
    assert games[0].lies_in(cache / "g1" / "current")
    assert len(storage.headers) == requests, "not one request"
    assert min(took) < 2.0, "at least once, on a machine that may be busy"


@pytest.mark.slow
def test_a_kept_build_that_is_gone_is_reported_and_never_fetched(
    platform: Platform,
    storage: StorageServer,
    start_agent: StartAgent,
    cache: Path,
    games: tuple[Game, Game],
    packs: tuple[PackedGame, PackedGame],
) -> None:
    start_agent()
    release_both(platform, games, packs)
    requests = len(storage.headers)
    remove_tree(cache / "g1" / "1")
    wait_for(lambda: "removed" in platform.phases_seen("g1", 1), "reported as removed")
    reports = len(platform.reports)
    wait_for(lambda: len(platform.reports) >= reports + 3, "three more reports")
    assert platform.phase("g1", 1) is None
    assert not (cache / "g1" / "1").exists()
    assert len(storage.headers) == requests


@pytest.mark.slow
def test_a_fetch_ends_when_the_build_is_only_kept(
    platform: Platform, storage: StorageServer, start_agent: StartAgent, cache: Path, games: tuple[Game, Game]
) -> None:
    storage.faults.hold_after = 1_000_000
    platform.release("g1", 1, games[0])
    start_agent()
    assert storage.holding.wait(30)
    storage.faults.hold_after = None
    platform.keep_previous = 1
    platform.believed_kept = True
    platform.release("g1", 2, games[1])
    begun = {"downloading", "verifying", "cached"}  # the first ones may pass between two reports
    wait_for(lambda: platform.phase("g1", 2) in begun, "build 2 begins")
    storage.go_on.set()
    wait_for(lambda: platform.phase("g1", 2) == "cached", "build 2 cached", seconds=60)
    assert not (cache / "g1" / "1").exists()
    wait_for(lambda: not list((cache / ".slipway/downloads").iterdir()), "its part is deleted")


@pytest.mark.slow
def test_a_kept_build_makes_room_before_a_disk_is_called_full(
    platform: Platform,
    start_process: StartProcess,
    games: tuple[Game, Game],
    packs: tuple[PackedGame, PackedGame],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A disk of 12 MiB has room for two builds of 4.6 MiB and not for a third."""
    needs_mount_namespaces()
    process = start_process("--disk-floor", "100K", disk="12m")
    release_both(platform, games, packs)
    other = make_game(9, SIZE, top="other-1.0")
    with platform.changed:
        platform.release("g2", 1, other)
        platform.publish_pack("g2", 1, pack_game(tmp_path_factory.mktemp("other"), 1, other))
    wait_for(lambda: platform.phase("g2", 1) == "cached", "the other game is cached", seconds=60)
    assert "removed" in platform.phases_seen("g1", 1)
    assert platform.phase("g1", 2) == "cached"
    assert "failed" not in platform.phases_seen("g2", 1)
    assert "a kept build made room" in process.log


@pytest.mark.slow
def test_a_pack_that_does_not_fit_is_not_begun(
    platform: Platform,
    storage: StorageServer,
    start_process: StartProcess,
    games: tuple[Game, Game],
    packs: tuple[PackedGame, PackedGame],
) -> None:
    needs_mount_namespaces()
    with platform.changed:
        platform.release("g1", 1, games[0])
        platform.publish_pack("g1", 1, packs[0])
    start_process("--disk-floor", "1M", disk="5m")
    wait_for(lambda: platform.phase("g1", 1) == "failed", "build 1 failed", seconds=60)
    row = platform.row("g1", 1)
    assert row
    assert row["reason"].startswith("disk full: 4.6 MiB needed above the floor of 1 MiB, ")
    assert [request for request in storage.served if request.path.endswith("/pack")] == []


@pytest.mark.slow
def test_a_kept_build_goes_when_other_programs_need_the_floor(
    platform: Platform,
    start_process: StartProcess,
    cache: Path,
    games: tuple[Game, Game],
    packs: tuple[PackedGame, PackedGame],
) -> None:
    needs_mount_namespaces()
    process = start_process("--disk-floor", "1M", disk="12m")
    release_both(platform, games, packs)
    process.inside(cache / "of-another-program").write_bytes(bytes(2 << 20))
    wait_for(lambda: "removed" in platform.phases_seen("g1", 1), "build 1 removed", seconds=60)
    assert platform.phase("g1", 2) == "cached"


def test_only_kept_builds_make_room_those_of_the_game_that_needs_it_last() -> None:
    kept = plan(active=(G1_2,), spare=(G1_1, G2_1))
    disk = on_disk(G1_1, G1_2, G2_1, current=(G1_2,))
    assert choose_for_space(kept, disk, BuildsInUse()) == (G1_1, G2_1)
    assert choose_for_space(kept, disk, BuildsInUse(), needed_by=BuildKey("g1", 3)) == (G2_1, G1_1)
    assert choose_for_space(kept, disk, BuildsInUse(builds={G2_1})) == (G1_1,)
    assert choose_for_space(kept, disk, BuildsInUse(games={"g1"})) == (G2_1,)


def test_what_is_still_played_does_not_make_room() -> None:
    kept = plan(active=(G1_2,), spare=(G1_1,))
    assert choose_for_space(kept, on_disk(G1_1, current=(G1_1,)), BuildsInUse()) == ()
