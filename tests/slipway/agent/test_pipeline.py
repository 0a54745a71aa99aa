"""From a release on the platform to a game that can be started: the whole agent against real servers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from slipway.agent.agent_process import Agent
from slipway.client.backoff import Backoff
from tests.slipway.agent.platform_server import Platform
from tests.slipway.agent.sample_games import Game, make_game, make_holed_game
from tests.slipway.agent.storage_server import StorageServer
from tests.slipway.agent.wait_for import wait_for

pytestmark = pytest.mark.slow

StartAgent = Callable[..., Agent]


@pytest.fixture(scope="module")
def game() -> Game:
    return make_game(1)


@pytest.fixture(scope="module")
def update() -> Game:
    return make_game(2, top="paper-lanterns-1.1")


def leftovers(cache: Path) -> list[str]:
    """What lies in `.slipway` beyond markers and the agent's own files."""
    return [
        str(path) for folder in ("downloads", "unpack", "trash") for path in (cache / ".slipway" / folder).iterdir()
    ]


def test_a_released_build_ends_up_unpacked_and_current(
    platform: Platform, storage: StorageServer, start_agent: StartAgent, cache: Path, game: Game
) -> None:
    platform.release("g1", 1, game)
    start_agent()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")
    assert game.lies_in(cache / "g1" / "1" / game.top_directory)
    assert (cache / "g1" / "current").readlink() == Path("1") / game.top_directory
    assert game.lies_in(cache / "g1" / "current")
    assert storage.bytes_served == game.size
    wait_for(lambda: not leftovers(cache), "the download deleted")
    seen = platform.phases_seen("g1", 1)
    assert seen[-1] == "cached"
    assert set(seen) <= {"pending", "downloading", "verifying", "cached"}


def test_an_archive_of_bsdtar_with_a_sparse_file_and_padding_is_unpacked(
    platform: Platform, start_agent: StartAgent, cache: Path, tmp_path: Path
) -> None:
    holed = make_holed_game(tmp_path / "studio")
    assert holed.archive.endswith(bytes(16))
    platform.release("g1", 1, holed)
    start_agent()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")
    assert holed.lies_in(cache / "g1" / "current")
    unpacked = (cache / "g1" / "current" / "game" / "holes.bin").stat()
    assert unpacked.st_size == (5 << 20) + 3
    assert unpacked.st_blocks * 512 < 1 << 20


def test_modes_do_not_depend_on_who_starts_the_agent(
    platform: Platform, start_agent: StartAgent, cache: Path, game: Game
) -> None:
    platform.release("g1", 1, game)
    start_agent()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")
    modes = {str(path.relative_to(cache)): path.stat().st_mode & 0o777 for path in (cache / "g1").rglob("*")}
    assert modes["g1/1"] == 0o755, "or it could not be moved to the trash"
    assert {modes["g1/1/paper-lanterns-1.0"], modes["g1/1/paper-lanterns-1.0/game"]} == {0o555}
    assert modes["g1/1/paper-lanterns-1.0/game/script.rpy"] == 0o444
    assert modes["g1/1/paper-lanterns-1.0/paper-lanterns.sh"] == 0o555
    assert (cache / ".slipway").stat().st_mode & 0o777 == 0o700
    assert (cache / ".slipway" / "connection.json").stat().st_mode & 0o777 == 0o600


def test_an_update_takes_over_and_the_old_build_goes(
    platform: Platform, start_agent: StartAgent, cache: Path, game: Game, update: Game
) -> None:
    platform.release("g1", 1, game)
    start_agent()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")
    platform.release("g1", 2, update)
    wait_for(lambda: platform.phase("g1", 2) == "cached", "build 2 cached")
    assert update.lies_in(cache / "g1" / "current")
    wait_for(lambda: platform.phase("g1", 1) is None, "build 1 reported removed and then forgotten")
    assert platform.phases_seen("g1", 1)[-1] == "removed"
    assert not (cache / "g1" / "1").exists()
    assert leftovers(cache) == []


def test_a_deleted_game_leaves_nothing(platform: Platform, start_agent: StartAgent, cache: Path, game: Game) -> None:
    platform.release("g1", 1, game)
    start_agent()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")
    platform.delete_game("g1")
    wait_for(lambda: platform.phases_seen("g1", 1)[-1] == "removed", "build 1 removed")
    assert not (cache / "g1").exists()


def test_a_torn_download_is_continued_with_a_reason_between(
    platform: Platform, storage: StorageServer, start_agent: StartAgent, cache: Path, game: Game
) -> None:
    storage.faults.tear_after = [400_000, 300_000]
    platform.release("g1", 1, game)
    start_agent()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")
    assert [request.start for request in storage.served] == [0, 400_000, 700_000]
    assert storage.bytes_served == game.size
    assert game.lies_in(cache / "g1" / "current")


def test_an_expired_address_is_replaced_at_once(
    platform: Platform, storage: StorageServer, start_agent: StartAgent, game: Game
) -> None:
    storage.faults.hold_after = 0
    storage.faults.tear_after = [200_000]
    platform.release("g1", 1, game)
    start_agent()
    assert storage.holding.wait(60)
    storage.expire_all()
    storage.go_on.set()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")
    assert storage.refused == 1
    assert "/api/servers/self/plan?wait=0" in platform.plans_asked
    assert storage.bytes_served == game.size


def test_a_wrong_digest_never_comes_into_view(
    platform: Platform, storage: StorageServer, start_agent: StartAgent, cache: Path, game: Game
) -> None:
    platform.release("g1", 1, game, sha256="0" * 64)
    start_agent()
    wait_for(lambda: (platform.row("g1", 1) or {}).get("attempt", 0) >= 2, "a second attempt")
    wait_for(lambda: platform.phase("g1", 1) == "failed", "build 1 failed")
    row = platform.row("g1", 1)
    assert row
    assert row["reason"].startswith("wrong digest: the plan has sha256 000000000000…")
    assert row["retryInSeconds"] is not None
    assert [path.name for path in cache.iterdir()] == [".slipway"]
    # What was damaged on its way arrives whole at a later attempt.
    platform.builds["g1", 1].sha256 = game.sha256
    platform.retry_now("g1", 1)
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached after all")
    assert game.lies_in(cache / "g1" / "current")


def test_an_archive_that_breaks_the_rules_is_not_fetched_again_and_again(
    platform: Platform, storage: StorageServer, start_agent: StartAgent, cache: Path
) -> None:
    flat = make_game(3, top="../paper-lanterns")
    platform.release("g1", 1, Game(flat.archive, "paper-lanterns", flat.launcher, flat.files))
    start_agent()
    wait_for(lambda: (platform.row("g1", 1) or {}).get("attempt", 0) >= 2, "a second attempt")
    wait_for(lambda: platform.phase("g1", 1) == "failed", "build 1 failed")
    assert "cannot be unpacked" in str((platform.row("g1", 1) or {})["reason"])
    assert storage.bytes_served == flat.size
    assert [path.name for path in cache.iterdir()] == [".slipway"]


def test_another_top_directory_than_planned_is_refused(platform: Platform, start_agent: StartAgent, game: Game) -> None:
    platform.release("g1", 1, Game(game.archive, "paper-lanterns-9.9", game.launcher, game.files))
    start_agent()
    wait_for(lambda: platform.phase("g1", 1) == "failed", "build 1 failed")
    assert "the archive contains 'paper-lanterns-1.0'" in str((platform.row("g1", 1) or {})["reason"])


def test_the_disk_floor_is_kept_and_told_with_figures(
    platform: Platform, storage: StorageServer, start_agent: StartAgent, game: Game
) -> None:
    platform.release("g1", 1, game)
    start_agent(disk_floor=1 << 60)
    wait_for(lambda: platform.phase("g1", 1) == "failed", "build 1 failed")
    row = platform.row("g1", 1)
    assert row
    assert row["reason"].startswith("disk full: 2.0 MiB needed above the floor of 1,048,576 TiB, ")
    assert row["reason"].endswith(" free")
    assert storage.bytes_served == 0
    assert platform.reports[-1]["disk"]["floorBytes"] == 1 << 60


def test_a_build_that_cannot_be_deleted_holds_up_no_other_and_is_reported(
    platform: Platform, start_agent: StartAgent, cache: Path, game: Game, update: Game
) -> None:
    platform.release("g1", 1, game)
    start_agent()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")
    trash = cache / ".slipway" / "trash"
    trash.rmdir()
    trash.write_text("not a directory")
    platform.delete_game("g1")
    platform.release("g2", 1, update)
    wait_for(lambda: platform.phase("g2", 1) == "cached", "the other game cached")
    wait_for(lambda: platform.reports[-1]["health"]["status"] == "error", "the error is reported")
    assert platform.phases_seen("g1", 1)[-1] == "evicting"
    trash.unlink()
    trash.mkdir()
    wait_for(lambda: platform.phases_seen("g1", 1)[-1] == "removed", "build 1 removed")
    wait_for(lambda: platform.reports[-1]["health"]["status"] == "ok", "the error is over")


def test_another_error_of_the_disk_is_told_as_one(
    platform: Platform, start_agent: StartAgent, cache: Path, game: Game
) -> None:
    cache.mkdir()
    (cache / "g1").write_text("not a directory")
    platform.release("g1", 1, game)
    start_agent()
    wait_for(lambda: platform.phase("g1", 1) == "failed", "build 1 failed")
    assert (platform.row("g1", 1) or {})["reason"] == "disk error: File exists at g1 in the cache"


def test_retry_now_does_not_wait_for_the_back_off(
    platform: Platform, storage: StorageServer, start_agent: StartAgent, game: Game
) -> None:
    storage.faults.statuses = [500]
    platform.release("g1", 1, game)
    start_agent(build_backoff=Backoff(initial_delay=3600, max_delay=3600))
    wait_for(lambda: platform.phase("g1", 1) == "failed", "build 1 failed")
    platform.retry_now("g1", 1)
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")


def test_a_build_that_is_no_longer_wanted_stops_arriving(
    platform: Platform, storage: StorageServer, start_agent: StartAgent, cache: Path, game: Game, update: Game
) -> None:
    storage.faults.hold_after = 300_000
    platform.release("g1", 1, game)
    start_agent()
    assert storage.holding.wait(60)
    platform.delete_game("g1")
    platform.release("g2", 1, update)
    storage.go_on.set()
    wait_for(lambda: platform.phase("g2", 1) == "cached", "the other game cached")
    wait_for(lambda: not leftovers(cache), "the partial download deleted")
    assert not (cache / "g1").exists()


def test_a_build_whose_directory_vanished_is_fetched_again(
    platform: Platform, storage: StorageServer, start_agent: StartAgent, cache: Path, game: Game
) -> None:
    platform.release("g1", 1, game)
    agent = start_agent()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")
    (cache / "g1" / "1").rename(cache.parent / "taken away")
    agent.reconciler.step()
    wait_for(lambda: game.lies_in(cache / "g1" / "1" / game.top_directory), "build 1 back")
    wait_for(lambda: storage.bytes_served == 2 * game.size, "fetched twice")


def test_other_bytes_under_the_same_number_replace_what_is_there(
    platform: Platform, start_agent: StartAgent, cache: Path, game: Game, update: Game
) -> None:
    """A platform that was restored from a backup may give out a number again."""
    platform.release("g1", 1, game)
    start_agent()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")
    platform.release("g1", 1, update)
    wait_for(lambda: update.lies_in(cache / "g1" / "1" / update.top_directory), "the other bytes in place")
    wait_for(lambda: update.lies_in(cache / "g1" / "current"), "current follows")
    wait_for(lambda: platform.phase("g1", 1) == "cached", "cached again")


def test_without_the_platform_it_keeps_what_it_has_and_comes_back(
    platform: Platform, start_agent: StartAgent, cache: Path, game: Game, update: Game
) -> None:
    platform.release("g1", 1, game)
    start_agent()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")
    platform.go_down()
    platform.release("g1", 2, update)
    asked = len(platform.plans_asked)
    wait_for(lambda: len(platform.plans_asked) >= asked + 3, "asked again and again")
    assert game.lies_in(cache / "g1" / "current")
    platform.down = False
    wait_for(lambda: platform.phase("g1", 2) == "cached", "build 2 cached")


def test_a_plan_that_cannot_be_read_changes_nothing(
    platform: Platform, start_agent: StartAgent, cache: Path, game: Game
) -> None:
    platform.release("g1", 1, game)
    start_agent()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")
    platform.release("g2/../..", 1, game)
    asked = len(platform.plans_asked)
    wait_for(lambda: len(platform.plans_asked) >= asked + 3, "asked again and again")
    assert game.lies_in(cache / "g1" / "current")


def test_reports_carry_health_disk_and_a_growing_sequence(
    platform: Platform, start_agent: StartAgent, game: Game
) -> None:
    platform.release("g1", 1, game)
    start_agent()
    wait_for(lambda: len(platform.reports) >= 3, "three reports")
    sequences = [report["sequence"] for report in platform.reports]
    assert sequences == sorted(set(sequences))
    health = platform.reports[-1]["health"]
    assert set(health) == {"status", "containers", "cpu_percent", "memory_percent", "disk_percent"}
    assert (health["status"], health["containers"]) == ("ok", 0)
    assert 0 < health["memory_percent"] <= 100
    disk = platform.reports[-1]["disk"]
    assert 0 < disk["freeBytes"] < disk["totalBytes"]
    assert json.dumps(platform.reports[-1])


def test_two_games_arrive_side_by_side(
    platform: Platform, storage: StorageServer, start_agent: StartAgent, game: Game, update: Game
) -> None:
    storage.faults.hold_after = 100_000
    platform.release("g1", 1, game)
    platform.release("g2", 1, update)
    platform.release("g3", 1, update)
    start_agent(downloads=2)
    wait_for(lambda: len(storage.served) == 2, "two downloads at once")
    wait_for(lambda: platform.phase("g3", 1) == "pending", "the third waits")
    assert len(storage.served) == 2
    storage.faults.hold_after = None
    storage.go_on.set()
    wait_for(lambda: all(platform.phase(name, 1) == "cached" for name in ("g1", "g2", "g3")), "all cached")
