"""What ends when, as app.process.shutdown promises it."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import pytest

from app.process.shutdown import Shutdown
from tests.app.runtime.processes import is_alive, read_line, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def shutdown() -> Shutdown:
    return Shutdown()


def test_streams_are_told_at_once_and_uploads_only_when_their_time_is_over(shutdown: Shutdown) -> None:
    calls: list[tuple[str, float]] = []
    cut = threading.Event()
    shutdown.when_stopping(lambda: calls.append(("stopping", time.monotonic())))
    shutdown.when_cut(lambda: calls.append(("cut", time.monotonic())))
    shutdown.when_cut(cut.set)
    began = time.monotonic()
    shutdown.begin(0.3)
    assert shutdown.stopping.is_set()
    assert calls[0][0] == "stopping"
    assert cut.wait(20)
    assert [name for name, _ in calls] == ["stopping", "cut"]
    assert calls[1][1] - began >= 0.3


def test_everyone_is_told_once_even_if_stopping_begins_twice(shutdown: Shutdown) -> None:
    calls: list[str] = []
    cut = threading.Event()
    shutdown.when_stopping(lambda: calls.append("stopping"))
    shutdown.when_cut(lambda: calls.append("cut"))
    shutdown.when_cut(cut.set)
    shutdown.begin(60)
    shutdown.begin(0)
    assert cut.wait(30)
    shutdown.begin(0)
    assert calls == ["stopping", "cut"]


def test_a_second_begin_brings_the_cut_forward_but_never_puts_it_off(shutdown: Shutdown) -> None:
    cut = threading.Event()
    shutdown.when_cut(cut.set)
    shutdown.begin(0.2)
    shutdown.begin(3600)
    assert cut.wait(30)


def test_who_comes_late_is_told_at_once(shutdown: Shutdown) -> None:
    cut = threading.Event()
    shutdown.when_cut(cut.set)
    shutdown.begin(0)
    assert cut.wait(30)
    late: list[str] = []
    shutdown.when_stopping(lambda: late.append("stopping"))
    shutdown.when_cut(lambda: late.append("cut"))
    assert late == ["stopping", "cut"]


def test_who_has_left_the_list_is_not_told(shutdown: Shutdown) -> None:
    calls: list[str] = []
    cut = threading.Event()
    shutdown.when_stopping(lambda: calls.append("stopping"))()
    leave = shutdown.when_cut(lambda: calls.append("cut"))
    shutdown.when_cut(cut.set)
    leave()
    leave()
    shutdown.begin(0)
    assert cut.wait(30)
    assert calls == []


def test_one_that_fails_keeps_nobody_else_from_hearing_it(shutdown: Shutdown, caplog: pytest.LogCaptureFixture) -> None:
    def fails() -> None:
        raise RuntimeError("hub is gone")

    told = threading.Event()
    shutdown.when_stopping(fails)
    shutdown.when_stopping(told.set)
    shutdown.begin(0)
    assert told.is_set()
    assert "hub is gone" in caplog.text


def test_no_registration_is_lost_while_stopping_begins(shutdown: Shutdown) -> None:
    """Each of many threads registers around the moment of begin(); each must be told exactly once."""
    counts = [0] * 64
    start = threading.Barrier(len(counts) + 1)

    def register(index: int) -> None:
        def told() -> None:
            counts[index] += 1

        start.wait()
        shutdown.when_stopping(told)

    threads = [threading.Thread(target=register, args=(index,)) for index in range(len(counts))]
    for thread in threads:
        thread.start()
    start.wait()
    shutdown.begin(0)
    for thread in threads:
        thread.join()
    assert counts == [1] * len(counts)


PARENT = """
import os, subprocess, sys
from functools import partial
from app.process.shutdown import die_with_parent
child = subprocess.Popen(["sleep", "600"], start_new_session=True, preexec_fn=partial(die_with_parent, os.getpid()))
print(child.pid, flush=True)
child.wait()
"""


def test_a_child_does_not_outlive_a_parent_that_was_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    with parent:
        child = int(read_line(parent, deadline=20))
        assert is_alive(child)
        parent.kill()
    wait_until(lambda: not is_alive(child), 30, f"process {child} ended with its parent")


def test_a_child_whose_parent_died_before_it_could_watch_it_ends_itself() -> None:
    code = "from app.process.shutdown import die_with_parent; die_with_parent(2**22); print('still here')"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert ended.stdout == ""


def test_a_child_does_not_inherit_the_signals_its_parent_blocks() -> None:
    code = (
        "import os, signal, subprocess, sys\n"
        "from functools import partial\n"
        "from app.process.shutdown import die_with_parent\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"
        "child = subprocess.Popen(['sleep', '600'], preexec_fn=partial(die_with_parent, os.getpid()))\n"
        "child.terminate()\n"
        "print(child.wait(10))\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == str(-signal.SIGTERM)
