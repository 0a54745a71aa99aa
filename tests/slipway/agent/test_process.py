"""The agent as a process: its start, its end, and what it says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from slipway.agent.command import main
from slipway.agent.exit_codes import ExitCode
from tests.slipway.agent.agent_process import IMPATIENT, ROOT, AgentProcess, environment
from tests.slipway.agent.platform_server import TOKEN, Platform, PlatformServer
from tests.slipway.agent.sample_games import Game, make_game
from tests.slipway.agent.storage_server import StorageServer
from tests.slipway.agent.wait_for import wait_for

pytestmark = pytest.mark.slow

StartProcess = Callable[..., AgentProcess]
# Two seconds are promised, on a machine that does nothing else. Waiting for a poll or a download would take longer.
MAX_STOP_SECONDS = 8.0


@pytest.fixture(scope="module")
def game() -> Game:
    return make_game(1)


def refused(*arguments: str, **variables: str) -> tuple[int, str]:
    """Exit code and stderr of a `run` that does not start."""
    done = subprocess.run(
        [sys.executable, "-m", "slipway.agent", "run", *arguments],
        cwd=ROOT,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stderr


def test_sigterm_ends_it_at_once_and_the_download_goes_on_later(
    platform: Platform, storage: StorageServer, start_process: StartProcess, cache: Path, game: Game
) -> None:
    storage.faults.hold_after = game.size // 2
    platform.release("g1", 1, game)
    process = start_process()
    assert storage.holding.wait(60)
    wait_for(lambda: platform.phase("g1", 1) == "downloading", "reported as downloading")
    began = time.monotonic()
    process.signal(signal.SIGTERM)
    assert process.wait() == 0
    assert time.monotonic() - began < MAX_STOP_SECONDS
    assert platform.reports[-1]["stopping"] is True
    held = (cache / ".slipway" / "downloads" / "g1.1.part").stat().st_size
    assert 0 < held <= game.size // 2 + 65536

    storage.faults.hold_after = None
    storage.go_on.set()
    start_process()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")
    assert storage.served[-1].start == held
    assert game.lies_in(cache / "g1" / "current")


def test_sigint_ends_it_too_even_when_the_platform_is_away(
    server: PlatformServer, platform: Platform, start_process: StartProcess
) -> None:
    process = start_process()
    wait_for(lambda: platform.reports, "a report")
    platform.go_down()
    began = time.monotonic()
    process.signal(signal.SIGINT)
    assert process.wait() == 0
    assert time.monotonic() - began < MAX_STOP_SECONDS
    assert "the last report was not delivered" in process.log


def test_a_second_signal_ends_it_at_once(
    platform: Platform, storage: StorageServer, start_process: StartProcess
) -> None:
    process = start_process()
    wait_for(lambda: platform.reports, "a report")
    with platform.changed:  # The last report is not answered while we hold this.
        process.signal(signal.SIGTERM)
        wait_for(lambda: "agent stops" in process.log, "the first signal taken")
        process.signal(signal.SIGTERM)
        assert process.wait() == 128 + signal.SIGTERM


def test_two_signals_together_end_it_at_once(
    platform: Platform, storage: StorageServer, start_process: StartProcess
) -> None:
    """Which of the two is the second is the kernel's to say."""
    process = start_process()
    wait_for(lambda: platform.reports, "a report")
    with platform.changed:  # The last report is not answered while we hold this.
        process.signal(signal.SIGSTOP)
        for each in (signal.SIGTERM, signal.SIGINT):  # both are there when it looks
            process.signal(each)
        process.signal(signal.SIGCONT)
        assert process.wait() in {128 + signal.SIGTERM, 128 + signal.SIGINT}


def test_one_cache_directory_has_one_agent(
    server: PlatformServer, platform: Platform, start_process: StartProcess, cache: Path
) -> None:
    process = start_process()
    wait_for(lambda: platform.reports, "a report")
    code, said = refused("--url", server.url, "--cache", str(cache), SLIPWAY_TOKEN=TOKEN)
    assert code == ExitCode.CACHE_TAKEN
    assert f"another slipway-agent (pid {process.pid}) uses {cache}" in said


def test_two_agents_on_one_token_are_told_and_tried_again(
    server: PlatformServer, platform: Platform, start_process: StartProcess, tmp_path: Path
) -> None:
    first = start_process()
    wait_for(lambda: platform.reports, "a report of the first")
    log = tmp_path / "second.log"
    second = AgentProcess(server.url, tmp_path / "other", log)
    try:
        wait_for(lambda: platform.conflicts, "refused")
        wait_for(lambda: "another agent uses this server's token" in second.log, "said so")
        boots = {report["bootId"] for report in platform.reports}
        first.signal(signal.SIGTERM)
        assert first.wait() == 0
        wait_for(lambda: platform.boot not in boots, "the second taken once the first has stopped")
    finally:
        second.kill()


def test_neither_token_nor_signed_addresses_are_shown(
    platform: Platform, storage: StorageServer, start_process: StartProcess, game: Game
) -> None:
    storage.faults.statuses = [403, 500]
    platform.release("g1", 1, game)
    process = start_process()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached", seconds=30)
    command = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode()
    assert "fetching build" in process.log
    assert "attempt failed" in process.log
    for text in (process.log, command, repr(platform.reports)):
        assert "X-Amz" not in text
        assert TOKEN not in text


def test_every_log_line_has_a_time_and_a_level(platform: Platform, start_process: StartProcess, game: Game) -> None:
    platform.release("g1", 1, game)
    process = start_process()
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached")
    lines = process.log.splitlines()
    assert any(line.endswith("INFO build is active game=g1 build=1") for line in lines)
    assert all(line[10] == "T" and line.split()[1] in {"INFO", "WARNING"} for line in lines)


def test_the_token_can_come_from_a_file(
    server: PlatformServer, platform: Platform, cache: Path, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN + "\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "slipway.agent", "run", "--url", server.url, "--cache", cache, "--token-file", token],
        cwd=ROOT,
        env=environment(),
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: platform.reports, "a report")
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        (("--url", "portal.example"), {"SLIPWAY_TOKEN": TOKEN}, "use one like https://portal.example"),
        (("--url", "http://a:b@portal.example"), {"SLIPWAY_TOKEN": TOKEN}, "address without user"),
        (("--url", "http://127.0.0.1:1"), {}, "SLIPWAY_TOKEN contains no token"),
        (("--url", "http://127.0.0.1:1"), {"SLIPWAY_TOKEN": "two words"}, "does not contain a valid token"),
        (("--url", "http://127.0.0.1:1", "--token-file", "/nowhere"), {}, "/nowhere cannot be read"),
        (("--url", "http://127.0.0.1:1", "--disk-floor", "lots"), {"SLIPWAY_TOKEN": TOKEN}, "like 500M or 2G"),
    ],
)
def test_wrong_settings_are_refused_in_words(
    arguments: tuple[str, ...],
    variables: dict[str, str],
    said: str,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("SLIPWAY_TOKEN", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    try:
        code = main(["run", "--cache", str(cache), *arguments])
    except SystemExit as usage:  # argparse's own way out
        code = int(str(usage.code))
    assert code == ExitCode.USAGE
    assert said in capsys.readouterr().err
    assert not cache.exists()


def test_a_cache_directory_that_cannot_be_written_is_named(server: PlatformServer, tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.write_text("not a directory")
    code, said = refused("--url", server.url, "--cache", str(taken), SLIPWAY_TOKEN=TOKEN)
    assert code == ExitCode.UNEXPECTED
    assert str(taken) in said


def test_a_disk_that_fills_up_is_told_and_nothing_half_done_stays(
    server: PlatformServer, platform: Platform, tmp_path: Path
) -> None:
    """On a real file system of 3 MiB, in a mount namespace of its own."""
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody make a mount namespace")
    platform.release("g1", 1, make_game(5, size=2 << 20))
    small = tmp_path / "small"
    small.mkdir()
    # The plan understates what it unpacks to, so the check beforehand passes and the disk itself runs out.
    published = platform.builds["g1", 1]
    honest = published.game
    published.game = Game(honest.archive, honest.top_directory, honest.launcher, {"one": b"x"})
    script = (
        'mount -t tmpfs -o size=3m tmpfs "$1" && exec "$2" -m slipway.agent run --url "$3" --cache "$1" --disk-floor 0'
    )
    process = subprocess.Popen(
        ["unshare", "-rm", "sh", "-c", script, "sh", small, sys.executable, server.url],
        cwd=ROOT,
        env=environment(SLIPWAY_TOKEN=TOKEN),
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: platform.phase("g1", 1) == "failed", "build 1 failed")
        row = platform.row("g1", 1)
        assert row
        assert row["reason"].startswith("disk full: 2.0 MiB needed above the floor of 0 B, ")
        # The half unpacked tree is gone again: what is used is the archive alone.
        wait_for(
            lambda: platform.reports[-1]["disk"]["freeBytes"] > (3 << 20) - honest.size - (200 << 10), "space free"
        )
    finally:
        process.kill()
        process.wait()


def test_it_needs_nothing_of_the_web_application(tmp_path: Path) -> None:
    """Every module of the agent, imported where Flask, SQLAlchemy, the MinIO SDK and `app` do not exist."""
    probe = tmp_path / "probe.py"
    probe.write_text(
        "import importlib, pkgutil, sys\n"
        "REFUSED = {'flask', 'werkzeug', 'jinja2', 'sqlalchemy', 'minio', 'pydantic', 'app', 'gunicorn'}\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in REFUSED:\n"
        "            raise ImportError(f'{name} is not for game servers')\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "import slipway.agent.command\n"
        "for module in pkgutil.walk_packages(slipway.agent.__path__, 'slipway.agent.'):\n"
        "    if module.name != 'slipway.agent.__main__':\n"
        "        importlib.import_module(module.name)\n"
        "assert 'slipway.agent.agent_process' in sys.modules and 'slipway.archive.unpacking' in sys.modules\n"
        "try:\n"
        "    import app\n"
        "except ImportError as refusal:\n"
        "    print(refusal)\n"
    )
    done = subprocess.run(
        [sys.executable, probe], cwd=ROOT, env=environment(PYTHONPATH=os.fspath(ROOT)), capture_output=True, text=True
    )
    assert done.stdout == "app is not for game servers\n", done.stderr


def test_a_session_that_the_platform_ignores_is_logged_once(platform: Platform, start_process: StartProcess) -> None:
    receipt = b'{"accepted": true, "planVersion": 1, "reportAfterSeconds": 0, "ignoredSessions": ["s-old", "\\u001b"]}'
    named = receipt.replace(b', "\\u001b"', b"")
    for body in (receipt, named, named.replace(b'"s-old"', b""), named):
        platform.raw_receipts.append(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    process = start_process(program=IMPATIENT)
    wait_for(lambda: not platform.raw_receipts and platform.reports, "five reports", seconds=60)
    lines = [line for line in process.log.splitlines() if "ignores this session" in line]
    assert [line.split(" WARNING ")[1] for line in lines] == [
        "the platform ignores this session: its build is not in the plan session=s-old"
    ]
