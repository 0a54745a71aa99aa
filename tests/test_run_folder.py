"""The folder of a test run: what a killed run left is swept, and a run that lacks room does not begin."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.runtime.processes import is_alive, read_line
from tests.conftest import ROOT
from tests.run_folder import PREFIX, RunFolder, hold, missing_room, sweep

GIB = 1024**3
RUN = """
import sys
from pathlib import Path
from tests.run_folder import RunFolder
folder = RunFolder(Path(sys.argv[1]))
print(folder.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A run in tmp_path that writes its folder's path and goes on."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(tmp_path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        yield process
        process.kill()


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes to end after the test."""
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def test_a_killed_runs_folder_goes_with_its_processes(
    run: subprocess.Popen[str], started: list[subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    folder = Path(read_line(run, 60).strip())
    data = folder / "files" / "postgres" / "data"
    data.mkdir(parents=True)
    server = subprocess.Popen(["sleep", "600"], env=os.environ | {"TMPDIR": str(folder / "files")})
    postgres = subprocess.Popen(["sleep", "600"], cwd=data)  # with an environment that nobody can read
    started += [server, postgres]
    (data / "postmaster.pid").write_text(f"{postgres.pid}\n{data}\n")

    sweep(tmp_path)
    assert folder.is_dir(), "its run goes on"
    assert is_alive(server.pid)

    run.kill()
    run.wait()
    sweep(tmp_path)
    assert not folder.exists()
    assert not is_alive(server.pid)
    assert not is_alive(postgres.pid)


def test_a_pid_that_belongs_to_another_process_now_is_left_alone(
    started: list[subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    data = tmp_path / f"{PREFIX}killed" / "files" / "postgres" / "data"
    data.mkdir(parents=True)
    started.append(subprocess.Popen(["sleep", "600"], cwd=tmp_path))
    hold(tmp_path / f"{PREFIX}killed").close()
    (data / "postmaster.pid").write_text(f"{started[0].pid}\n")

    sweep(tmp_path)

    assert list(tmp_path.glob(f"{PREFIX}*/")) == []
    assert is_alive(started[0].pid)


def test_what_is_no_runs_folder_is_left_alone(tmp_path: Path) -> None:
    """Somebody's folder with such a name, and a link to another place."""
    elsewhere, parent = tmp_path / "elsewhere", tmp_path / "tmp"
    elsewhere.mkdir()
    (parent / f"{PREFIX}results").mkdir(parents=True)
    (parent / f"{PREFIX}link").symlink_to(elsewhere)

    sweep(parent)

    assert (parent / f"{PREFIX}results").is_dir()
    assert list(elsewhere.iterdir()) == []

    hold(elsewhere).close()
    sweep(parent)
    assert (elsewhere / "lock").is_file()


def test_the_files_of_failed_tests_stay_until_the_next_run(tmp_path: Path) -> None:
    first = RunFolder(tmp_path)
    first.pytest.mkdir()
    first.remove(keep_failed=True)
    assert (first.pytest.is_dir(), first.files.exists()) == (True, False)

    second = RunFolder(tmp_path)
    assert not first.path.exists()
    second.remove(keep_failed=False)
    assert not second.path.exists()


def test_too_little_room_is_named_with_its_place_and_the_remedy() -> None:
    assert missing_room(Path("/tmp"), 8 * GIB, 8 * GIB) is None
    assert missing_room(Path("/tmp"), 8 * GIB, int(3.2 * GIB)) == (
        "The tests need more disk space in /tmp: 3.2 of 8.0 GiB are free. "
        "Free some, or name a folder on another disk: TMPDIR=/path/to/folder"
    )


def test_a_run_without_room_ends_before_its_first_test(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--room", "1000T", __file__],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert done.stderr.startswith(f"Exit: The tests need more disk space in {tmp_path}: ")
    assert "passed" not in done.stdout
    assert list(tmp_path.glob(f"{PREFIX}*/")) == []
