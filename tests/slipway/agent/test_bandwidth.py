"""The bandwidth limit: one account for all downloads, archives and packs alike."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import pytest

from slipway.agent.agent_process import Agent
from slipway.agent.cache.bandwidth import Bandwidth
from slipway.agent.command import main
from slipway.agent.exit_codes import ExitCode
from tests.slipway.agent.packed_games import pack_game
from tests.slipway.agent.platform_server import Platform
from tests.slipway.agent.sample_games import make_game
from tests.slipway.agent.wait_for import wait_for


class Waits(Event):
    """Records the waits that are asked for, and does not wait."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.seconds.append(timeout)
        return False


def test_all_downloads_share_one_account() -> None:
    now = 100.0
    bandwidth, one, other = Bandwidth(1000, clock=lambda: now), Waits(), Waits()
    bandwidth.wait(500, one)
    bandwidth.wait(1000, other)
    bandwidth.wait(500, one)
    assert (one.seconds, other.seconds) == ([0.5, 2.0], [1.5])


def test_a_pause_earns_no_burst() -> None:
    now = 100.0
    bandwidth, waits = Bandwidth(1000, clock=lambda: now), Waits()
    bandwidth.wait(1000, waits)
    now = 500.0
    bandwidth.wait(1000, waits)
    assert waits.seconds == [1.0, 1.0]


def test_pieces_are_small_enough_for_an_even_rate() -> None:
    assert Bandwidth(None).piece_bytes(1 << 20) == 1 << 20
    assert Bandwidth(1 << 20).piece_bytes(1 << 20) == 1 << 17
    assert Bandwidth(1 << 10).piece_bytes(1 << 20) == 16 << 10


def test_a_cancelled_fetch_does_not_wait() -> None:
    cancelled = Event()
    waiting = Thread(target=Bandwidth(1).wait, args=(1000, cancelled))
    waiting.start()
    cancelled.set()
    waiting.join(30)
    assert not waiting.is_alive()


@pytest.mark.slow
@pytest.mark.parametrize("with_pack", [False, True])
def test_a_download_takes_at_least_as_long_as_the_limit_says(
    with_pack: bool, platform: Platform, start_agent: Callable[..., Agent], tmp_path: Path
) -> None:
    game = make_game(1)
    with platform.changed:
        platform.release("g1", 1, game)
        if with_pack:
            platform.publish_pack("g1", 1, pack_game(tmp_path, 1, game))
    began = time.monotonic()
    start_agent(bandwidth=512 << 10)
    wait_for(lambda: platform.phase("g1", 1) == "cached", "build 1 cached", seconds=60)
    assert time.monotonic() - began > 1.5  # a MiB at half a MiB per second
    assert game.size > 1 << 20


@pytest.mark.parametrize(("value", "said"), [("lots", "write it like 500M or 2G"), ("100", "give at least 1K")])
def test_a_wrong_limit_is_refused_in_words(value: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as usage:
        main(["run", "--url", "http://127.0.0.1:1", "--cache", "/nowhere", "--bandwidth", value])
    assert usage.value.code == ExitCode.USAGE
    assert said in capsys.readouterr().err


def test_the_option_is_in_the_help() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "slipway.agent", "run", "--help"], capture_output=True, text=True, timeout=60
    )
    assert "--bandwidth SIZE" in done.stdout
