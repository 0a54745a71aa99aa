"""`make run`, for real: what it starts, how it ends, and what it recovers from."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.app.runtime.making import Run
from tests.app.runtime.processes import is_alive, wait_until
from tests.file_modes import mode_of, open_to_others

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

Start = Callable[..., Run]


@pytest.fixture
def make_run(tmp_path: Path) -> Iterator[Start]:
    """Makes a Run that is not started yet, and leaves nothing of it."""
    made: list[Run] = []

    def make(name: str = "instance", port: int | None = None, **settings: str) -> Run:
        made.append(Run(tmp_path / name, port, **settings))
        return made[-1]

    yield make
    for run in made:
        run.close()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """One that runs, for the tests that leave it running."""
    run = Run(tmp_path_factory.mktemp("supervisor") / "instance")
    try:
        yield run.start()
    finally:
        run.close()


def test_everything_is_there_when_it_says_so(run: Run) -> None:
    assert run.healthy()
    assert mode_of(run.folder) == 0o700
    assert mode_of(run.folder / "demo.json") == 0o600
    assert open_to_others(run.folder) == {}
    demo = run.demo
    assert demo["baseUrl"] == f"http://127.0.0.1:{run.port}"
    for shown in (demo["baseUrl"], demo["email"], demo["password"], demo["operatorEmail"], demo["operatorPassword"]):
        assert run.said(shown)
    assert [server["id"] for server in demo["servers"]] == ["srv-01", "srv-02", "srv-03"]
    commands = " ".join(run.processes().values())
    assert commands.count("-m slipway.agent run") == 3
    secrets = [demo["apiKey"], demo["storage"]["secretKey"], *(server["token"] for server in demo["servers"])]
    logs = "".join(path.read_text() for path in (run.folder / "logs").iterdir())
    for secret in secrets:
        assert secret not in commands
        assert secret not in logs
        assert secret not in run.output


@pytest.mark.parametrize("moment", ["starts in", "storage", pytest.param("database", marks=pytest.mark.soak)])
def test_a_signal_while_it_starts_ends_it_too(make_run: Start, moment: str) -> None:
    run = make_run().launch()
    wait_until(lambda: run.said(moment), 90, f"it said: {moment}")
    began = time.monotonic()
    run.signal(signal.SIGINT)
    run.process.wait(20)
    assert time.monotonic() - began < 10
    assert run.said("Stopped after")
    assert run.left() == {}


def test_an_instance_outlives_a_kill_a_stop_and_a_move(make_run: Start, tmp_path: Path) -> None:
    first = make_run("first").start()
    first.register("paper-lanterns")
    before = first.demo
    first.signal(signal.SIGKILL)
    first.process.wait()
    again = make_run("first", port=first.port).start()  # at once: what the kernel still ends must not get in its way
    assert first.left() == {}, "nothing outlives a kill"
    assert again.demo == before, "and the next run has everything"
    assert again.api("GET", "/games/paper-lanterns")[0] == 200
    one_signal_ends_every_process_within_ten_seconds(again)

    (tmp_path / "first").rename(tmp_path / "moved")
    other = make_run("other").launch()
    moved = make_run("moved").start()
    wait_until(lambda: other.said("Slipway is running"), 90, "both run")
    status, answer = moved.api("GET", "/games/paper-lanterns")
    assert (status, answer["title"]) == (200, "Paper Lanterns")
    assert other.api("GET", "/games/paper-lanterns")[0] == 404
    assert moved.demo["password"] == before["password"]
    assert other.demo["password"] != before["password"]
    assert all(server["cacheDir"].startswith(str(tmp_path / "moved")) for server in moved.demo["servers"])
    assert not (tmp_path / "first").exists()
    a_second_signal_ends_everything_at_once(moved)


def one_signal_ends_every_process_within_ten_seconds(run: Run) -> None:
    with run.open_upload("paper-lanterns"):
        began = time.monotonic()
        run.signal(signal.SIGINT)
        run.process.wait(20)
    assert time.monotonic() - began < 10
    assert run.left() == {}


def a_second_signal_ends_everything_at_once(run: Run) -> None:
    with run.open_upload("paper-lanterns"):
        run.signal(signal.SIGTERM)
        wait_until(lambda: run.said("Stopping"), 30, "the first signal was taken")
        began = time.monotonic()
        run.signal(signal.SIGTERM)
        assert run.process.wait(10) == 130
        wait_until(lambda: run.left() == {}, 30, "the kernel has ended what was killed")
    assert time.monotonic() - began < 4, "without the time that the upload may take"


def test_what_dies_is_started_again(run: Run) -> None:
    endpoint = run.demo["storage"]["endpoint"]
    killed = {
        name: run.pid_of(part) for name, part in (("storage", "juicefs"), ("web", "gunicorn"), ("srv-02", "srv-02"))
    }
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)
    for name in killed:
        wait_until(partial(run.said, f"{name} was started again"), 60, f"{name} was started again")
        assert run.said(f"{name} was ended by SIGKILL; starting it again in 1 s")
    wait_until(run.healthy, 60, "healthy again")
    assert run.demo["storage"]["endpoint"] == endpoint
    assert not any(is_alive(pid) for pid in killed.values())


def test_the_same_instance_is_not_started_twice(run: Run) -> None:
    second = Run(run.folder).launch()
    try:
        assert second.process.wait(60) == 1
        assert second.said(f"is already running there (process {run.process.pid})")
    finally:
        second.close()
    assert run.healthy()


def test_a_port_that_is_taken_is_said_with_the_way_out(make_run: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = make_run(port=port).launch()
        assert run.process.wait(60) == 1
    assert run.said(f"Port {port} on 127.0.0.1 is in use by process {os.getpid()}")
    assert run.said(f"make run PORT={port + 1}")


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ({"SLIPWAY_API_RATE": "often"}, "SLIPWAY_API_RATE='often' is not a rate"),
        pytest.param({"SLIPWAY_HOST": "0.0.0.0"}, "Set S3_PUBLIC_ENDPOINT", marks=pytest.mark.soak),
        pytest.param(
            {"SLIPWAY_STORAGE_PORT": "x"}, "SLIPWAY_STORAGE_PORT='x' must be a port number", marks=pytest.mark.soak
        ),
        pytest.param({"SLIPWAY_WORKERS": "2"}, "2 web processes were asked for", marks=pytest.mark.soak),
    ],
)
def test_a_setting_that_cannot_work_ends_it_with_the_reason_and_nothing_running(
    make_run: Start, setting: dict[str, str], reason: str
) -> None:
    run = make_run(**setting).launch()
    wait_until(lambda: run.processes() == {} or run.process.poll() is not None, 90, "it ended")
    assert run.process.wait(60) == 1
    assert run.said(reason)
    assert not run.said("Traceback")
    assert run.left() == {}
