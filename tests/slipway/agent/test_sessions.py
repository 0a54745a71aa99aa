"""Sessions as launch scripts begin and end them, beside a running agent."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slipway.agent.agent_process import Agent
from slipway.agent.command import main
from slipway.agent.exit_codes import ExitCode
from slipway.agent.sessions.session_files import Session, now_iso, process_identity
from tests.slipway.agent.agent_process import ROOT, environment
from tests.slipway.agent.platform_server import Platform
from tests.slipway.agent.sample_games import Game, make_game
from tests.slipway.agent.wait_for import wait_for

pytestmark = pytest.mark.slow

StartAgent = Callable[..., Agent]


@pytest.fixture(scope="module")
def game() -> Game:
    return make_game(1, size=1 << 16)


@pytest.fixture(scope="module")
def update() -> Game:
    return make_game(2, size=1 << 16, top="paper-lanterns-1.1")


@pytest.fixture
def player() -> Iterator[subprocess.Popen[bytes]]:
    """A process that plays until it is killed."""
    process = subprocess.Popen(["sleep", "120"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def agent(platform: Platform, start_agent: StartAgent, game: Game) -> Agent:
    """A running agent that has build 1 of g1."""
    platform.release("g1", 1, game)
    started = start_agent()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")
    return started


class Commands:
    """`slipway-agent session …`, in this process; `said` is what went to stderr."""

    def __init__(self, cache: Path, capture: pytest.CaptureFixture[str]) -> None:
        self._cache = cache
        self._capture = capture
        self.said = ""

    def start(self, game_id: str, pid: int, *more: str) -> tuple[int, dict[str, str]]:
        code = main(["session", "start", game_id, "--pid", str(pid), "--cache", str(self._cache), *more])
        written = self._capture.readouterr()
        self.said = written.err
        if "--json" in more:
            return code, json.loads(written.out)
        return code, dict(line.split("=", 1) for line in written.out.splitlines())

    def end(self, session_id: str) -> int:
        code = main(["session", "end", session_id, "--cache", str(self._cache)])
        self.said = self._capture.readouterr().err
        return code


@pytest.fixture
def commands(cache: Path, capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(cache, capsys)


def session_files(cache: Path) -> list[str]:
    return [path.stem for path in (cache / ".slipway" / "sessions").iterdir()]


def test_a_launch_script_learns_where_the_build_lies(
    agent: Agent, platform: Platform, cache: Path, player: subprocess.Popen[bytes], game: Game
) -> None:
    command = [sys.executable, "-m", "slipway.agent", "session", "start", "g1", "--pid", str(player.pid)]
    command += ["--cache", str(cache)]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    answer = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert answer["path"] == str(cache / "g1" / "1" / game.top_directory)
    assert (answer["gameId"], answer["build"], answer["launcher"]) == ("g1", "1", "paper-lanterns.sh")
    assert answer["registered"] == "yes"
    assert (Path(answer["path"]) / answer["launcher"]).is_file()
    assert platform.sessions == {answer["id"]: ("g1", 1)}


def test_sessions_are_in_the_reports_until_they_end(
    agent: Agent, platform: Platform, commands: Commands, cache: Path, player: subprocess.Popen[bytes]
) -> None:
    code, answer = commands.start("g1", player.pid, "--json")
    assert code == ExitCode.OK
    wait_for(lambda: platform.reports[-1]["sessions"], "listed in a report")
    (session,) = platform.reports[-1]["sessions"]
    assert (session["id"], session["gameId"], session["build"]) == (answer["id"], "g1", 1)
    assert platform.reports[-1]["health"]["containers"] == 1
    assert commands.end(answer["id"]) == ExitCode.OK
    assert platform.ended == [answer["id"]]
    assert session_files(cache) == []
    wait_for(lambda: not platform.reports[-1]["sessions"], "no longer listed")
    assert commands.end(answer["id"]) == ExitCode.OK  # Ending twice is no error.


def test_a_session_keeps_its_build_until_it_ends(
    agent: Agent,
    platform: Platform,
    commands: Commands,
    cache: Path,
    player: subprocess.Popen[bytes],
    game: Game,
    update: Game,
) -> None:
    _, answer = commands.start("g1", player.pid)
    platform.release("g1", 2, update)
    wait_for(lambda: platform.phase("g1", 2) == "cached", "build 2 cached")
    for _ in range(3):
        agent.reconciler.step()
    assert game.lies_in(Path(answer["path"]))
    assert platform.phase("g1", 1) == "cached"
    assert update.lies_in(cache / "g1" / "current")
    commands.end(answer["id"])
    wait_for(lambda: not (cache / "g1" / "1").exists(), "evicted after the session")
    wait_for(lambda: platform.row("g1", 1) is None, "reported as removed")


def test_a_session_survives_the_deletion_of_its_game(
    agent: Agent, platform: Platform, commands: Commands, player: subprocess.Popen[bytes], game: Game
) -> None:
    _, answer = commands.start("g1", player.pid)
    platform.delete_game("g1")
    wait_for(lambda: agent.plan_poller.current and not agent.plan_poller.current.builds, "the plan without the game")
    agent.reconciler.step()
    assert game.lies_in(Path(answer["path"]))
    code, _ = commands.start("g1", player.pid)
    assert code == ExitCode.NOT_FOUND
    assert "deleted" in commands.said


def test_a_session_ends_with_its_process(
    agent: Agent, platform: Platform, commands: Commands, cache: Path, player: subprocess.Popen[bytes]
) -> None:
    _, answer = commands.start("g1", player.pid)
    player.kill()  # Not waited for: a zombie plays no game either.
    wait_for(lambda: platform.ended == [answer["id"]], "ended on the platform")
    assert session_files(cache) == []


def test_a_reused_pid_is_another_process(player: subprocess.Popen[bytes]) -> None:
    stamp = process_identity(player.pid)
    assert stamp
    assert Session("s1", "g1", 1, player.pid, stamp, now_iso()).alive
    boot, _, ticks = stamp.partition("/")
    earlier, before_reboot = f"{boot}/{int(ticks) - 1}", f"00000000-0000-0000-0000-000000000000/{ticks}"
    assert not Session("s1", "g1", 1, player.pid, earlier, now_iso()).alive
    assert not Session("s1", "g1", 1, player.pid, before_reboot, now_iso()).alive
    player.kill()
    player.wait()
    assert process_identity(player.pid) is None


def test_without_the_platform_sessions_begin_on_what_is_active(
    agent: Agent, platform: Platform, commands: Commands, cache: Path, player: subprocess.Popen[bytes], game: Game
) -> None:
    platform.go_down()
    code, answer = commands.start("g1", player.pid)
    assert code == ExitCode.OK
    assert answer["path"] == str(cache / "g1" / "1" / game.top_directory)
    assert answer["registered"] == "no"
    assert "the platform is not reachable" in commands.said
    assert platform.sessions == {}
    platform.down = False
    wait_for(lambda: platform.sessions == {answer["id"]: ("g1", 1)}, "registered by a report")


def test_without_the_platform_sessions_end_by_the_next_report(
    agent: Agent, platform: Platform, commands: Commands, player: subprocess.Popen[bytes]
) -> None:
    _, answer = commands.start("g1", player.pid)
    platform.go_down()
    assert commands.end(answer["id"]) == ExitCode.OK
    assert "next report" in commands.said
    platform.down = False
    wait_for(lambda: platform.ended == [answer["id"]], "ended by a report")


def test_without_the_platform_and_without_a_build_nothing_begins(
    agent: Agent, platform: Platform, commands: Commands, cache: Path, player: subprocess.Popen[bytes]
) -> None:
    platform.go_down()
    code, answer = commands.start("g2", player.pid)
    assert (code, answer) == (ExitCode.NOT_CACHED, {})
    assert "no build of g2 is active here" in commands.said
    assert session_files(cache) == []


def test_nothing_released_here_yet_is_told_apart_from_an_unknown_game(
    agent: Agent, platform: Platform, commands: Commands, cache: Path, player: subprocess.Popen[bytes], update: Game
) -> None:
    platform.release("g2", 1, update, sha256="0" * 64)
    assert commands.start("g2", player.pid)[0] == ExitCode.NOT_CACHED
    assert commands.start("g9", player.pid)[0] == ExitCode.NOT_FOUND
    assert session_files(cache) == []


def test_a_build_that_the_platform_believes_in_but_is_gone_is_refused(
    agent: Agent, platform: Platform, commands: Commands, cache: Path, player: subprocess.Popen[bytes]
) -> None:
    platform.released["g1"].append(7)
    platform.builds["g1", 7] = platform.builds["g1", 1]
    platform.believed.add(("g1", 7))
    code, _ = commands.start("g1", player.pid)
    assert code == ExitCode.NOT_CACHED
    assert len(platform.ended) == 1  # Taken back on the platform too.
    assert session_files(cache) == []


def test_wrong_arguments_are_refused_in_words(agent: Agent, commands: Commands) -> None:
    assert commands.start("../g1", 1)[0] == ExitCode.USAGE
    assert commands.start("g1", 2**22 + 1)[0] == ExitCode.USAGE
    assert "there is no process" in commands.said
    assert commands.end("nosuchsession") == ExitCode.NOT_FOUND


def test_where_no_agent_has_run_that_is_said(commands: Commands) -> None:
    assert commands.start("g1", 1)[0] == ExitCode.NO_AGENT
    assert "start slipway-agent run first" in commands.said


def test_a_revoked_token_is_a_refusal_of_its_own(
    agent: Agent, commands: Commands, cache: Path, player: subprocess.Popen[bytes]
) -> None:
    connection = cache / ".slipway" / "connection.json"
    connection.write_text(connection.read_text().replace("srv_", "srv_revoked-"))
    assert commands.start("g1", player.pid)[0] == ExitCode.REFUSED
    assert session_files(cache) == []


def test_a_session_that_is_starting_blocks_eviction(
    agent: Agent,
    platform: Platform,
    cache: Path,
    player: subprocess.Popen[bytes],
    game: Game,
    update: Game,
) -> None:
    """Between asking the platform and its answer the session may get any build of the game."""
    stamp = process_identity(player.pid)
    assert stamp
    agent.sessions.write(Session("s1", "g1", None, player.pid, stamp, now_iso()))
    platform.release("g1", 2, update)
    wait_for(lambda: platform.phase("g1", 2) == "cached", "build 2 cached")
    agent.reconciler.step()
    assert game.lies_in(cache / "g1" / "1" / game.top_directory)
    assert platform.reports[-1]["sessions"] == []
    agent.sessions.remove("s1")
    wait_for(lambda: not (cache / "g1" / "1").exists(), "evicted once it no longer starts")
