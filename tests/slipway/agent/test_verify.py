"""`slipway-agent verify`: what it finds, what it mends, and how it gets on with a running agent."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from slipway.agent.agent_process import Agent
from slipway.agent.cache.cache_layout import CacheLayout
from slipway.agent.cache.locks import build_lock, lock_until_exit
from slipway.agent.crash_points import REPAIR_NAMES, VARIABLE
from slipway.agent.exit_codes import ExitCode
from slipway.agent.path_names import BuildKey
from slipway.agent.sessions.connection_file import NoConnection, read_connection
from slipway.agent.settings import Settings
from slipway.agent.verification.repair_folders import drop_abandoned_repairs
from tests.slipway.agent.agent_process import ROOT, AgentProcess, as_user, environment, ordinary_user
from tests.slipway.agent.packed_games import PackedGame, pack_game
from tests.slipway.agent.platform_server import Platform
from tests.slipway.agent.sample_games import Game, make_versions
from tests.slipway.agent.storage_server import StorageServer
from tests.slipway.agent.wait_for import wait_for

pytestmark = pytest.mark.slow

IMAGE = "game/images/scene 3.webp"
KEY = BuildKey("g1", 1)


@pytest.fixture(scope="module")
def game() -> Game:
    return make_versions()[0]


@pytest.fixture(scope="module")
def packed(game: Game, tmp_path_factory: pytest.TempPathFactory) -> PackedGame:
    return pack_game(tmp_path_factory.mktemp("packs"), 1, game)


@pytest.fixture
def user(cache: Path) -> str:
    """Modes do not stop root, so the agent and the command run as an ordinary user here."""
    cache.mkdir()
    return ordinary_user(cache)


@pytest.fixture
def top(
    platform: Platform,
    start_process: Callable[..., AgentProcess],
    cache: Path,
    game: Game,
    packed: PackedGame,
    user: str,
) -> Path:
    """The top directory of build 1, which a running agent has installed from its pack."""
    with platform.changed:
        platform.release("g1", 1, game)
        platform.publish_pack("g1", 1, packed)
    start_process(user=user)
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached", seconds=60)
    return cache / "g1" / "1" / game.top_directory


@pytest.fixture
def verify(cache: Path, user: str) -> Callable[..., tuple[int, str]]:
    """Runs the command; returns its exit code and what it printed."""

    def run(*arguments: str, root: bool = False, crash_at: str = "") -> tuple[int, str]:
        done = subprocess.run(
            verify_command(cache, "" if root else user, *arguments),
            cwd=ROOT,
            env=environment(**{VARIABLE: crash_at}),
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.fixture
def start_verify(cache: Path, user: str) -> Callable[..., subprocess.Popen[bytes]]:
    """Starts the command; the caller waits for it or kills it."""

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        command = verify_command(cache, user, *arguments)
        return subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL)

    return start


def verify_command(cache: Path, user: str, *arguments: str) -> list[str]:
    command = [sys.executable, "-m", "slipway.agent", "verify", "--cache", str(cache), *arguments]
    return [*(as_user(user) if user else []), *command]


def overwrite(path: Path) -> None:
    """As root, or as a program that makes files writable first."""
    mode = path.stat().st_mode
    if os.geteuid():
        path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(1000)
        file.write(b"written by the game")
    path.chmod(mode)


Verify = Callable[..., tuple[int, str]]


def test_a_whole_build_is_called_whole(top: Path, verify: Verify, storage: StorageServer) -> None:
    before = len(storage.served)
    code, printed = verify()
    assert code == ExitCode.OK
    assert printed.startswith("g1 build 1: complete (14 files, ")
    assert len(storage.served) == before, "the index is on disk"


def test_damage_is_named_and_mended_from_the_pack(
    top: Path, verify: Verify, storage: StorageServer, game: Game, packed: PackedGame, user: str
) -> None:
    overwrite(top / IMAGE)
    code, printed = verify("g1")
    assert code == ExitCode.DAMAGED
    assert "g1 build 1: 1 problem\n" in printed
    assert IMAGE in printed
    assert "bytes are in damaged chunks" in printed
    assert "run with --repair to repair it" in printed
    before = storage.bytes_served
    code, printed = verify("g1", "--repair")
    assert code == ExitCode.OK
    assert "g1 build 1: repaired (" in printed
    assert 0 < storage.bytes_served - before <= 1 << 20
    assert game.lies_in(top)
    assert verify()[0] == ExitCode.OK
    assert not list((top.parents[2] / ".slipway" / "mending").iterdir())
    assert {path.stat().st_mode & 0o222 for path in [top, *top.rglob("*")]} == {0}, "read-only again"


def test_a_file_that_is_gone_comes_back(top: Path, verify: Verify, game: Game) -> None:
    (top / "game").chmod(0o755)
    (top / IMAGE).unlink()
    code, printed = verify("--repair")
    assert code == ExitCode.OK
    assert "is missing" in printed
    assert "game: has mode 0755, not 0555" in printed
    assert game.lies_in(top)
    assert (top / "game").stat().st_mode & 0o777 == 0o555


def test_what_a_game_left_in_the_build_is_noticed_and_never_deleted(top: Path, verify: Verify, game: Game) -> None:
    top.chmod(0o755)
    (top / "log.txt").write_text("written by the game")
    top.chmod(0o555)
    for arguments in ((), ("--repair",)):
        code, printed = verify(*arguments)
        assert code == ExitCode.DAMAGED
        assert "log.txt: is not in the build" in printed
        assert "--repair leaves files that are not in the build; remove them yourself" in printed
        assert "run with --repair" not in printed
    assert (top / "log.txt").exists()
    overwrite(top / IMAGE)
    printed = verify()[1]
    assert "run with --repair to repair it" in printed
    assert "--repair leaves files that are not in the build; remove them yourself" in printed


def test_output_that_nobody_can_read(top: Path, cache: Path, user: str) -> None:
    def printed_to(output: int, **variables: str) -> tuple[int, str]:
        done = subprocess.run(
            verify_command(cache, user),
            cwd=ROOT,
            env=environment(**variables),
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stderr

    reading, writing = os.pipe()
    os.close(reading)
    for unbuffered in ("", "1"):  # it fails at the end, or at the first line
        assert printed_to(writing, PYTHONUNBUFFERED=unbuffered) == (ExitCode.UNEXPECTED, "")
    os.close(writing)
    with Path("/dev/full").open("wb") as full:
        code, message = printed_to(full.fileno(), PYTHONUNBUFFERED="")
    assert (code, message) == (ExitCode.UNEXPECTED, "slipway-agent: cannot print: [Errno 28] No space left on device\n")


def test_a_build_from_an_archive_is_checked_with_the_index_of_the_plan(
    platform: Platform,
    start_process: Callable[..., AgentProcess],
    cache: Path,
    game: Game,
    packed: PackedGame,
    user: str,
    verify: Verify,
) -> None:
    platform.release("g1", 1, game)
    agent = start_process(user=user)
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached", seconds=60)
    code, printed = verify()
    assert (code, printed) == (
        ExitCode.NOT_CHECKED,
        "g1 build 1: not checked: the platform has no pack of it (yet)\n",
    )
    platform.publish_pack("g1", 1, packed)
    wait_for((cache / ".slipway/whole/g1.1.index").exists, "the agent has fetched the index", seconds=60)
    overwrite(cache / "g1/1" / game.top_directory / IMAGE)
    assert verify()[0] == ExitCode.DAMAGED
    assert verify("--repair")[0] == ExitCode.OK
    assert game.lies_in(cache / "g1" / "current")
    platform.go_down()
    assert verify()[0] == ExitCode.OK, "the index is here, so no platform is needed"
    agent.kill()
    (cache / ".slipway/whole/g1.1.index").unlink()
    code, printed = verify()
    assert code == ExitCode.NOT_CHECKED
    assert "the platform gave no plan" in printed


def test_a_pack_that_is_damaged_too_mends_nothing(
    top: Path, verify: Verify, storage: StorageServer, packed: PackedGame
) -> None:
    overwrite(top / IMAGE)
    storage.objects["/packs/g1/1/pack"] = bytes(len(packed.objects["pack"]))
    code, printed = verify("--repair")
    assert code == ExitCode.DAMAGED
    assert "g1 build 1: not repaired: 1 chunk of the pack is not what the index promises" in printed


@pytest.mark.parametrize("point", REPAIR_NAMES)
def test_a_repair_that_was_killed_is_continued(
    point: str, top: Path, verify: Verify, storage: StorageServer, game: Game, cache: Path
) -> None:
    for name in (IMAGE, "game/images/scene 4.webp", "lib/linux-x86_64/libpython.so"):
        overwrite(top / name)
    before = storage.bytes_served
    assert verify("--repair", crash_at=point)[0] == -signal.SIGKILL
    assert verify("--repair")[0] == ExitCode.OK
    assert game.lies_in(top)
    assert verify()[0] == ExitCode.OK
    assert list((cache / ".slipway" / "mending").iterdir()) == []
    if point == "after-repair":
        assert storage.bytes_served - before <= 3 << 20, "nothing twice"


def test_repairs_killed_at_random_moments_end_with_a_whole_build(
    top: Path, verify: Verify, start_verify: Callable[..., subprocess.Popen[bytes]], game: Game
) -> None:
    kill_repairs(5, 20_261_129, top, verify, start_verify, game)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_two_hundred_repairs_killed_at_random_moments_end_with_a_whole_build(
    top: Path, verify: Verify, start_verify: Callable[..., subprocess.Popen[bytes]], game: Game
) -> None:
    seed = int(os.environ.get("SLIPWAY_SOAK_SEED") or random.SystemRandom().randrange(10**9))
    kills = int(os.environ.get("SLIPWAY_SOAK_KILLS") or 200)
    kill_repairs(kills, seed, top, verify, start_verify, game)


def kill_repairs(
    kills: int,
    seed: int,
    top: Path,
    verify: Verify,
    start_verify: Callable[..., subprocess.Popen[bytes]],
    game: Game,
) -> None:
    """Damage the build, and kill repairs at some moment after their start, again and again."""
    print(f"seed {seed}")  # noqa: T201 - what a failed run is repeated with
    chance = random.Random(seed)
    images = [path for path in sorted((top / "game/images").iterdir()) if path.name.startswith("scene")]
    began = time.monotonic()
    assert verify()[0] == ExitCode.OK
    takes = time.monotonic() - began
    for _ in range(kills):
        for path in chance.sample(images, 3):
            overwrite(path)
        repairing = start_verify("--repair")
        with suppress(subprocess.TimeoutExpired):
            repairing.wait(chance.uniform(0.3, 1.3) * takes)
        repairing.kill()
        repairing.wait()
    assert verify("--repair")[0] == ExitCode.OK
    assert game.lies_in(top)
    assert verify()[0] == ExitCode.OK


def test_a_killed_repair_leaves_nothing_for_good(top: Path, cache: Path) -> None:
    layout = CacheLayout(cache)
    folder = layout.mending / f"{KEY}.{'0' * 64}"
    (folder / "half").mkdir(parents=True)
    lock = lock_until_exit(layout.verify_lock)
    drop_abandoned_repairs(layout)
    assert folder.exists(), "that repair is running"
    os.close(lock)
    drop_abandoned_repairs(layout)
    assert not folder.exists()


def test_it_runs_once_at_a_time_and_says_what_else_is_wrong(top: Path, verify: Verify, cache: Path, user: str) -> None:
    assert verify("g2") == (ExitCode.NOT_FOUND, "no build of g2 is cached here\n")
    lock = os.open(CacheLayout(cache).verify_lock, os.O_RDWR | os.O_CREAT, 0o666)
    os.fchmod(lock, 0o666)
    fcntl.flock(lock, fcntl.LOCK_EX)
    code, printed = verify()
    os.close(lock)
    assert code == ExitCode.CACHE_TAKEN
    assert "another verify" in printed
    if user:
        code, printed = verify(root=True)
        assert code == ExitCode.NO_AGENT
        assert "run this command as the agent's user" in printed


def test_a_build_is_not_evicted_while_it_is_checked(
    platform: Platform, start_agent: Callable[..., Agent], cache: Path, game: Game
) -> None:
    platform.release("g1", 1, game)
    start_agent()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")
    with build_lock(CacheLayout(cache).marker(KEY)):
        platform.delete_game("g1")
        reports = len(platform.reports)
        wait_for(lambda: len(platform.reports) >= reports + 3, "three more reports")
        assert game.lies_in(cache / "g1" / "1" / game.top_directory)
        assert platform.phase("g1", 1) == "cached"
    wait_for(lambda: not (cache / "g1").exists(), "evicted afterwards")


def test_a_lock_that_a_game_takes_keeps_no_build(
    top: Path, verify: Verify, platform: Platform, cache: Path, game: Game
) -> None:
    """A game may open what it may read, and lock it."""
    held = [os.open(path, os.O_RDONLY) for path in (top.parent, top, top / IMAGE)]
    for descriptor in held:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    code, output = verify()
    assert (code, "complete" in output) == (ExitCode.OK, True), output
    platform.delete_game("g1")
    wait_for(lambda: not top.exists(), "evicted although it is locked")
    for descriptor in held:
        os.close(descriptor)


def test_the_connection_file_carries_the_agents_limits(cache: Path, start_agent: Callable[..., Agent]) -> None:
    with pytest.raises(NoConnection, match="no agent has run"):
        read_connection(CacheLayout(cache))
    agent = start_agent(bandwidth=5 << 20)
    connection = read_connection(agent.layout)
    assert (connection.bandwidth, connection.disk_floor) == (5 << 20, 1 << 20)
    assert "srv_" not in repr(connection)
    assert Settings(connection.url, connection.token, cache).bandwidth is None
