"""Installing and updating from packs: the whole agent against real servers and real packs."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from slipway.agent.agent_process import Agent
from slipway.agent.packs.index_files import read_index
from slipway.agent.path_names import BuildKey
from tests.slipway.agent.packed_games import PackedGame, PackedUpdate, pack_game, transfer_bytes
from tests.slipway.agent.platform_server import Platform
from tests.slipway.agent.sample_games import Game, make_versions
from tests.slipway.agent.storage_server import StorageServer
from tests.slipway.agent.wait_for import wait_for

pytestmark = pytest.mark.slow

StartAgent = Callable[..., Agent]


@pytest.fixture(scope="module")
def games() -> tuple[Game, Game]:
    return make_versions()


@pytest.fixture(scope="module")
def packs(games: tuple[Game, Game], tmp_path_factory: pytest.TempPathFactory) -> tuple[PackedGame, PackedGame]:
    folder = tmp_path_factory.mktemp("packs")
    first = pack_game(folder, 1, games[0])
    return first, pack_game(folder, 2, games[1], (1, first))


@pytest.fixture
def installed(
    platform: Platform, start_agent: StartAgent, games: tuple[Game, Game], packs: tuple[PackedGame, PackedGame]
) -> Agent:
    """An agent that has installed build 1 from its pack."""
    platform.release("g1", 1, games[0])
    platform.publish_pack("g1", 1, packs[0])
    agent = start_agent()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")
    return agent


def release_update(platform: Platform, games: tuple[Game, Game], packed: PackedGame) -> None:
    """Release build 2 and its pack at once: the agent never sees one without the other."""
    with platform.changed:
        platform.release("g1", 2, games[1])
        platform.publish_pack("g1", 2, packed)


def fetched(storage: StorageServer, suffix: str = "") -> list[str]:
    """The names of the objects that were served, without the archives' folder."""
    return [request.path.rpartition("/")[2] for request in storage.served if request.path.endswith(suffix)]


def source_of(platform: Platform, build: int) -> dict[str, object] | None:
    row = platform.row("g1", build)
    return row["source"] if row else None


def test_a_build_is_installed_from_its_pack(
    platform: Platform,
    storage: StorageServer,
    installed: Agent,
    cache: Path,
    games: tuple[Game, Game],
    packs: tuple[PackedGame, PackedGame],
) -> None:
    assert games[0].lies_in(cache / "g1" / "current")
    assert set(fetched(storage)) == {"index", "pack"}
    assert storage.bytes_served == len(packs[0].objects["pack"]) + len(packs[0].objects["index"])
    assert source_of(platform, 1) == {"kind": "pack", "from": None, "fallback": None}
    assert read_index(installed.layout.index(BuildKey("g1", 1))) == packs[0].written.encoded
    assert list(installed.layout.assembling.iterdir()) == []


def test_an_update_sends_what_changed_and_not_a_byte_more(
    platform: Platform,
    storage: StorageServer,
    installed: Agent,
    cache: Path,
    games: tuple[Game, Game],
    packs: tuple[PackedGame, PackedGame],
) -> None:
    before = storage.bytes_served
    release_update(platform, games, packs[1])
    wait_for(lambda: platform.phase("g1", 2) == "cached", "build 2 cached")
    assert games[1].lies_in(cache / "g1" / "current")
    sent = storage.bytes_served - before
    assert sent == transfer_bytes(packs[1], packs[1].updates[1]) < games[1].size / 8
    assert {"delta.1", "patch.1", "pack"} <= set(fetched(storage))
    assert fetched(storage).count("index") == 1, "that of build 1"
    assert source_of(platform, 2) == {"kind": "update", "from": 1, "fallback": None}


def test_progress_counts_the_bytes_of_this_transfer(
    platform: Platform,
    storage: StorageServer,
    installed: Agent,
    games: tuple[Game, Game],
    packs: tuple[PackedGame, PackedGame],
) -> None:
    storage.faults.hold_paths = {"/packs/g1/2/pack"}
    release_update(platform, games, packs[1])
    assert storage.holding.wait(30)
    update = packs[1].updates[1]
    total = transfer_bytes(packs[1], update)
    small = len(update.delta or b"") + len(update.patch or b"")

    wait_for(lambda: (platform.row("g1", 2) or {}).get("bytesDone", 0) > small, "more than delta and patch received")
    row = platform.row("g1", 2)
    assert row
    assert row["phase"] == "downloading"
    assert small < row["bytesDone"] < row["bytesTotal"] == total
    assert row["source"] == {"kind": "update", "from": 1, "fallback": None}
    storage.go_on.set()
    wait_for(lambda: platform.phase("g1", 2) == "cached", "build 2 cached")
    assert "failed" not in platform.phases_seen("g1", 2)


def test_a_build_from_an_archive_serves_as_source_with_its_index_from_the_plan(
    platform: Platform,
    storage: StorageServer,
    start_agent: StartAgent,
    cache: Path,
    games: tuple[Game, Game],
    packs: tuple[PackedGame, PackedGame],
) -> None:
    platform.release("g1", 1, games[0])
    agent = start_agent()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")
    assert source_of(platform, 1) == {"kind": "archive", "from": None, "fallback": None}
    platform.publish_pack("g1", 1, packs[0])
    before = storage.bytes_served
    release_update(platform, games, packs[1])
    wait_for(lambda: platform.phase("g1", 2) == "cached", "build 2 cached")
    assert games[1].lies_in(cache / "g1" / "current")
    update = transfer_bytes(packs[1], packs[1].updates[1])
    assert storage.bytes_served - before == update + len(packs[0].objects["index"])
    assert source_of(platform, 2) == {"kind": "update", "from": 1, "fallback": None}
    assert read_index(agent.layout.index(BuildKey("g1", 2))) == packs[1].written.encoded


def test_a_way_without_delta_and_patch_sends_the_whole_index(
    platform: Platform,
    storage: StorageServer,
    installed: Agent,
    cache: Path,
    games: tuple[Game, Game],
    packs: tuple[PackedGame, PackedGame],
) -> None:
    plain = replace(packs[1], updates={1: PackedUpdate(packs[0], None, None)})
    before = storage.bytes_served
    release_update(platform, games, plain)
    wait_for(lambda: platform.phase("g1", 2) == "cached", "build 2 cached")
    assert games[1].lies_in(cache / "g1" / "current")
    assert storage.bytes_served - before == transfer_bytes(plain, plain.updates[1])


def test_what_somebody_wrote_to_the_older_build_is_fetched_and_not_copied(
    platform: Platform,
    storage: StorageServer,
    installed: Agent,
    cache: Path,
    games: tuple[Game, Game],
    packs: tuple[PackedGame, PackedGame],
    caplog: pytest.LogCaptureFixture,
) -> None:
    image = cache / "g1/1" / games[0].top_directory / "game/images/scene 3.webp"
    image.chmod(0o644)
    with image.open("r+b") as file:
        file.write(b"written by the game")
    release_update(platform, games, packs[1])
    wait_for(lambda: platform.phase("g1", 2) == "cached", "build 2 cached")
    assert games[1].lies_in(cache / "g1" / "current")
    assert any("somebody wrote to a build" in record.message for record in caplog.records)


def test_the_agent_waits_while_a_pack_is_prepared(
    platform: Platform,
    storage: StorageServer,
    installed: Agent,
    cache: Path,
    games: tuple[Game, Game],
    packs: tuple[PackedGame, PackedGame],
) -> None:
    before = storage.bytes_served
    with platform.changed:
        platform.release("g1", 2, games[1])
        platform.announce_pack("g1", 2)
    wait_for(lambda: platform.phase("g1", 2) == "pending", "build 2 pending")
    reports = len(platform.reports)
    wait_for(lambda: len(platform.reports) >= reports + 3, "three more reports")
    assert platform.phase("g1", 2) == "pending"
    assert storage.bytes_served == before
    platform.publish_pack("g1", 2, packs[1])
    wait_for(lambda: platform.phase("g1", 2) == "cached", "build 2 cached")
    assert "game.tar.gz" not in fetched(storage)
    assert source_of(platform, 2) == {"kind": "update", "from": 1, "fallback": None}


def spoilt_index(packed: PackedGame) -> PackedGame:
    frame = packed.objects["index"]
    return replace(packed, objects=packed.objects | {"index": frame[:-1] + bytes([frame[-1] ^ 1])}, updates={})


def spoilt_pack(packed: PackedGame) -> PackedGame:
    return replace(packed, objects=packed.objects | {"pack": bytes(len(packed.objects["pack"]))}, updates={})


def longer_pack(packed: PackedGame) -> PackedGame:
    return replace(packed, objects=packed.objects | {"pack": packed.objects["pack"] + b"more"}, updates={})


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (spoilt_index, "The index"),
        (spoilt_pack, "chunks of the pack are not what the index promises"),
        (longer_pack, "its index describes"),
    ],
)
def test_a_pack_that_fails_its_check_is_replaced_by_the_archive(
    spoil: Callable[[PackedGame], PackedGame],
    reason: str,
    platform: Platform,
    storage: StorageServer,
    start_agent: StartAgent,
    cache: Path,
    games: tuple[Game, Game],
    packs: tuple[PackedGame, PackedGame],
) -> None:
    with platform.changed:
        platform.release("g1", 1, games[0])
        platform.publish_pack("g1", 1, spoil(packs[0]))
    agent = start_agent()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached", seconds=60)
    assert games[0].lies_in(cache / "g1" / "current")
    source = source_of(platform, 1)
    assert source
    assert (source["kind"], source["from"]) == ("archive", None)
    assert reason in str(source["fallback"])
    assert "failed" not in platform.phases_seen("g1", 1)
    assert list(agent.layout.assembling.iterdir()) == []


@pytest.mark.parametrize("name", ["pack", "index"])
def test_a_pack_that_storage_does_not_have_is_replaced_by_the_archive(
    name: str,
    platform: Platform,
    storage: StorageServer,
    start_agent: StartAgent,
    cache: Path,
    games: tuple[Game, Game],
    packs: tuple[PackedGame, PackedGame],
) -> None:
    with platform.changed:
        platform.release("g1", 1, games[0])
        platform.publish_pack("g1", 1, packs[0])
    del storage.objects[f"/packs/g1/1/{name}"]
    start_agent()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")
    assert games[0].lies_in(cache / "g1" / "current")
    assert source_of(platform, 1) == {
        "kind": "archive",
        "from": None,
        "fallback": "storage has no such pack (404)",
    }


def test_the_source_of_a_build_is_reported_after_a_restart_too(
    platform: Platform, installed: Agent, start_agent: StartAgent
) -> None:
    installed.stop()
    os.close(installed._lock)
    reports = len(platform.reports)
    start_agent()
    wait_for(lambda: len(platform.reports) > reports + 1, "reports of the new agent")
    assert source_of(platform, 1) == {"kind": "pack", "from": None, "fallback": None}


def test_a_broken_connection_is_an_ordinary_failed_attempt(
    platform: Platform,
    storage: StorageServer,
    start_agent: StartAgent,
    cache: Path,
    games: tuple[Game, Game],
    packs: tuple[PackedGame, PackedGame],
) -> None:
    storage.faults.tear_after = [None, 1_500_000]
    with platform.changed:
        platform.release("g1", 1, games[0])
        platform.publish_pack("g1", 1, packs[0])
    start_agent()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")
    assert games[0].lies_in(cache / "g1" / "current")
    assert source_of(platform, 1) == {"kind": "pack", "from": None, "fallback": None}
    assert fetched(storage).count("index") == 1, "kept from the first attempt"
    assert storage.bytes_served < len(packs[0].objects["pack"]) + len(packs[0].objects["index"]) + (1 << 20)


def test_an_expired_address_of_a_pack_is_replaced_at_once(
    platform: Platform,
    storage: StorageServer,
    start_agent: StartAgent,
    games: tuple[Game, Game],
    packs: tuple[PackedGame, PackedGame],
) -> None:
    storage.faults.hold_paths = {"/packs/g1/1/index"}
    with platform.changed:
        platform.release("g1", 1, games[0])
        platform.publish_pack("g1", 1, packs[0])
    start_agent()
    assert storage.holding.wait(30)
    storage.expire_all()
    storage.go_on.set()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")
    assert storage.refused == 1
    assert "failed" not in platform.phases_seen("g1", 1)
    assert source_of(platform, 1) == {"kind": "pack", "from": None, "fallback": None}


def test_an_archive_that_is_nearly_here_is_finished(
    platform: Platform,
    storage: StorageServer,
    start_agent: StartAgent,
    games: tuple[Game, Game],
    packs: tuple[PackedGame, PackedGame],
) -> None:
    storage.faults.hold_after = games[0].size - 100_000
    platform.release("g1", 1, games[0])
    agent = start_agent()
    assert storage.holding.wait(30)
    agent.stop()
    os.close(agent._lock)
    platform.publish_pack("g1", 1, packs[0])
    storage.faults.hold_after = None
    storage.go_on.set()
    start_agent()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")
    assert source_of(platform, 1) == {"kind": "archive", "from": None, "fallback": None}
    assert fetched(storage, "pack") == []
