"""The supervisor's own parts: taking signals, keeping others out, watching a child, following logs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.runtime.supervisor.child import Child, spawn
from app.runtime.supervisor.child_logs import Tail, last_lines, open_log
from app.runtime.supervisor.instance_folder import Instance, InstanceTaken
from tests.app.runtime.processes import is_alive, read_line, wait_until

COUNTING = """
import sys, time
from app.runtime.supervisor.signals import Signals
signals = Signals()
print("ready", flush=True)
end = time.monotonic() + float(sys.argv[1])
while signals.stop_requests < 2 and (left := end - time.monotonic()) > 0:
    signals.wait(left)
print(signals.stop_requests, flush=True)
"""


def counting(seconds: float, code: str = COUNTING) -> subprocess.Popen[str]:
    """A process that counts requests to stop for that long, or until there are two. We are its parent. It takes signals
    even if the test run itself was started with them ignored (`nohup`, a background job)."""
    taking = "import signal; [signal.signal(one, signal.SIG_DFL) for one in (signal.SIGHUP, signal.SIGINT)]\n"
    process = subprocess.Popen([sys.executable, "-c", taking + code, str(seconds)], stdout=subprocess.PIPE, text=True)
    assert read_line(process, 60).strip() == "ready"
    return process


def send_as_somebody_else(pid: int, which: str) -> None:
    subprocess.run(["kill", f"-{which}", str(pid)], check=True)


@pytest.mark.slow
def test_each_signal_of_one_sender_counts() -> None:
    with counting(20) as process:
        process.terminate()
        wait_until(lambda: not signal_pending(process.pid), 30, "the first is taken")
        process.terminate()
        assert read_line(process, 20).strip() == "2"


def signal_pending(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    return any(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("ShdPnd"))


@pytest.mark.slow
def test_what_make_hands_on_is_the_same_request_once_more() -> None:
    """`kill -TERM -<group>` reaches us directly and through make, our parent: here, this test."""
    long_echo = "from app.runtime.supervisor import signals as echo; echo._ECHO_SECONDS = 600\n" + COUNTING
    with counting(2, long_echo) as process:
        send_as_somebody_else(process.pid, "TERM")
        wait_until(lambda: not signal_pending(process.pid), 30, "the first is taken")
        process.terminate()
        assert read_line(process, 20).strip() == "1"


@pytest.mark.slow
def test_another_signal_is_another_request_whoever_sends_it() -> None:
    with counting(20) as process:
        send_as_somebody_else(process.pid, "INT")
        wait_until(lambda: not signal_pending(process.pid), 30, "the first is taken")
        process.terminate()
        assert read_line(process, 20).strip() == "2"


@pytest.mark.slow
def test_a_hangup_is_ignored_under_nohup_and_a_stop_otherwise() -> None:
    with counting(20) as process:
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: not signal_pending(process.pid), 30, "the hangup is taken")
        process.send_signal(signal.SIGHUP)
        assert read_line(process, 20).strip() == "2"
    command = ["nohup", sys.executable, "-c", COUNTING, "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert read_line(process, 60).strip() == "ready"
        process.send_signal(signal.SIGHUP)
        assert read_line(process, 20).strip() == "0"


def test_the_folder_is_for_its_owner_and_locked_while_open(tmp_path: Path) -> None:
    first = Instance(tmp_path / "instance")
    assert (tmp_path / "instance").stat().st_mode & 0o777 == 0o700
    with pytest.raises(InstanceTaken, match=rf"already running there \(process {os.getpid()}\)"):
        Instance(tmp_path / "instance")
    first.close()
    Instance(tmp_path / "instance").close()


def test_it_stays_locked_while_a_child_of_an_earlier_run_lives(tmp_path: Path) -> None:
    """As after `kill -9`: the lock's owner is gone, what it started is not (yet)."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    wait_until(lambda: not is_alive(dead.pid), 20, "it ended; nobody has waited for it, so its number is still taken")
    first = Instance(tmp_path / "instance")
    os.truncate(first.lock_fd, 0)
    os.pwrite(first.lock_fd, str(dead.pid).encode(), 0)
    child = subprocess.Popen(["sleep", "600"], pass_fds=(first.lock_fd,))
    first.close()  # the child holds it still

    def end_the_child(seconds: float) -> None:
        child.kill()
        child.wait(seconds + 5)

    Instance(tmp_path / "instance", wait=end_the_child).close()
    assert child.returncode == -signal.SIGKILL
    dead.wait()


def test_a_child_has_its_own_session_and_the_secrets_of_its_environment_only(tmp_path: Path) -> None:
    code = "import os; print(os.getsid(0) == os.getpid(), sorted(os.environ))"
    process = spawn([sys.executable, "-c", code], {"ONLY": "this", "LC_CTYPE": "C.UTF-8"}, tmp_path / "a.log", ())
    assert process.wait(20) == 0
    assert (tmp_path / "a.log").read_text().strip() == "True ['LC_CTYPE', 'ONLY']"


def test_a_child_that_ends_is_started_again_later_and_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    child = Child("web", lambda: spawn(["sh", "-c", "exit 3"], {}, tmp_path / "web.log", ()), tmp_path / "web.log")
    child.start()
    for wait in (1, 2, 4, 8, 16, 30, 30):
        assert child.process is not None
        child.process.wait()
        assert child.watch() == (
            f"web ended with code 3; starting it again in {wait} s (its log: {tmp_path / 'web.log'})"
        )
        now += wait - 0.01
        assert child.watch() is None
        now += 0.02
        assert child.watch() == "web was started again"
    assert child.process is not None
    child.process.wait()
    now += 61  # it lived long: what was wrong is over
    assert "starting it again in 1 s" in str(child.watch())


def test_a_child_that_cannot_be_started_is_tried_again(tmp_path: Path) -> None:
    def start() -> subprocess.Popen[bytes]:
        raise RuntimeError("no free port")

    child = Child("storage", start, tmp_path / "storage.log")
    assert "storage could not be started: no free port; starting it again in 1 s" in str(child.watch())
    assert not child.running


def test_killing_a_child_takes_its_whole_group(tmp_path: Path) -> None:
    script = "sleep 600 & echo $!; wait"
    child = Child("web", lambda: spawn(["sh", "-c", script], os.environ, tmp_path / "w.log", ()), tmp_path / "w.log")
    child.start()
    wait_until(lambda: (tmp_path / "w.log").read_text().strip().isdecimal(), 30, "the grandchild runs")
    grandchild = int((tmp_path / "w.log").read_text())
    assert is_alive(grandchild)
    child.kill()
    wait_until(lambda: not is_alive(grandchild), 30, "the grandchild ended")
    assert not child.running


def test_only_what_matters_is_repeated_and_not_for_ever(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    log.write_text('{"levelname": "ERROR", "message": "of an earlier run"}\n')
    tail = Tail(log)
    with log.open("a") as file:
        file.write('{"levelname": "INFO", "message": "all is well"}\n')
        file.write('{"levelname": "ERROR", "message": "it broke", "exc_info": "Traceback\\nOSError: disk full"}\n')
        file.write("2026-01-01T00:00:00Z WARNING agent says so\n")
        file.write("ERROR half a li")
    assert tail.news() == ["ERROR it broke (OSError: disk full)", "2026-01-01T00:00:00Z WARNING agent says so"]
    assert tail.news() == []
    with log.open("a") as file:
        file.write("ne\n" + "ERROR again\n" * 20)
    assert tail.news() == ["ERROR half a line", *["ERROR again"] * 4, f"… and 16 more in {log}"]


def test_storage_is_quoted_only_when_something_is_wrong(tmp_path: Path) -> None:
    tail = Tail(tmp_path / "storage.log")
    (tmp_path / "storage.log").write_text("x <WARNING>: cache-size is 0\nx <ERROR>: no space left\n")
    assert tail.news() == ["x <ERROR>: no space left"]


def test_a_log_is_kept_small_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.runtime.supervisor.child_logs._MAX_BYTES", 100)
    log = tmp_path / "web.log"
    with open_log(log) as writer:
        tail = Tail(log)
        writer.write(b"INFO x\n" * 20)
        writer.flush()
        assert tail.news() == []
        tail.keep_small()
        writer.write(b"ERROR after\n")
        writer.flush()
        assert tail.news() == ["ERROR after"]
    assert log.read_text() == "ERROR after\n"
    assert (tmp_path / "web.log.1").read_text() == "INFO x\n" * 20
    assert last_lines(log) == "    ERROR after"


def test_a_long_log_is_put_aside_at_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.runtime.supervisor.child_logs._ROTATE_BYTES", 10)
    (tmp_path / "web.log").write_text("a long log of the last run")
    with open_log(tmp_path / "web.log") as log:
        log.write(b"new")
    assert (tmp_path / "web.log").read_text() == "new"
    assert (tmp_path / "web.log.1").read_text() == "a long log of the last run"
