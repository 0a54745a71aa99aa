"""The folder of a test run. It is below TMPDIR and contains everything that tests write: pytest's own folders,
databases, storages, and temporary files of the processes that tests start.

The folder goes with its run. Only what failed tests wrote stays, until the next run begins. A run that is killed leaves
its folder and perhaps servers. Nobody holds the folder's lock then: the next run ends the servers and removes it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import psutil
import pytest

from slipway.client.sizes import format_part, parse_size

PREFIX = "tests-slipway-"  # "/tmp/slipway" is a path of the container image, which tests replace
FEW_TESTS = 1024**3  # bytes that are enough for a file of tests
_LOCK = "lock"
_FILES = "files"  # TMPDIR of everything in the run


class RunFolder:
    """One run's folder, locked until `remove`."""

    def __init__(self, parent: Path) -> None:
        with _alone(parent):
            sweep(parent)
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
            self._lock = hold(self.path)
        self.files = self.path / _FILES
        self.files.mkdir()
        for folder in (self.path, self.files):
            folder.chmod(0o711)  # Postgres and a few tests run as another user
        self.pytest = self.path / "pytest"

    def remove(self, *, keep_failed: bool) -> None:
        """Remove the folder; with `keep_failed` all but pytest's part of it."""
        shutil.rmtree(self.files if keep_failed else self.path, ignore_errors=True)
        self._lock.close()


def hold(folder: Path) -> IO[str]:
    """Keep the folder from being swept until the file is closed or this process ends."""
    lock = (folder / _LOCK).open("a")
    fcntl.flock(lock, fcntl.LOCK_SH)
    return lock


def sweep(parent: Path) -> None:
    """Remove the folders of runs that have ended, and end the processes that they left. A folder is one of ours if it
    has our lock: anybody may write to `parent`, also a link with such a name to another place."""
    for folder in parent.glob(f"{PREFIX}*/"):
        with suppress(FileNotFoundError):  # its own run removes it at this moment
            if not folder.is_symlink() and folder.stat().st_uid == os.getuid() and not _is_held(folder):
                _remove_left_over(folder)


def _remove_left_over(folder: Path) -> None:
    for process in (*_started_in(folder), *_postgres_servers(folder)):
        with suppress(psutil.Error):
            process.kill()
            process.wait(10)
    shutil.rmtree(folder, ignore_errors=True)


def _is_held(folder: Path) -> bool:
    """Raises FileNotFoundError for a folder without a lock, which is no run's."""
    with (folder / _LOCK).open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _started_in(folder: Path) -> Iterator[psutil.Process]:
    """Processes of the run: TMPDIR leads to its folder."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("TMPDIR") == str(folder / _FILES):
                yield process


def _postgres_servers(folder: Path) -> Iterator[psutil.Process]:
    """Postgres overwrites its environment, but it writes down its pid."""
    for pid_file in folder.glob(f"{_FILES}/*/data/postmaster.pid"):
        with suppress(psutil.Error, ValueError):
            process = psutil.Process(int(pid_file.read_text().splitlines()[0]))
            if Path(process.cwd()) == pid_file.parent:
                yield process


@contextmanager
def _alone(parent: Path) -> Iterator[None]:
    """Within the block, no other run begins or sweeps."""
    with (parent / f"{PREFIX}{os.getuid()}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def missing_room(parent: Path, needed: int, free: int) -> str | None:
    """The reason to stop when less than `needed` bytes are free, otherwise None."""
    if free >= needed:
        return None
    return (
        f"The tests need more disk space in {parent}: {format_part(free, needed)} are free. "
        "Free some, or name a folder on another disk: TMPDIR=/path/to/folder"
    )


class _Run:
    """Removes the folder when the run has ended."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._failed = True

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        self._failed = exitstatus != pytest.ExitCode.OK

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        self._folder.remove(keep_failed=self._failed)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--room", type=parse_size, default=FEW_TESTS, metavar="SIZE", help="disk space to require: 8G")


@pytest.hookimpl(tryfirst=True)  # before pytest reads `basetemp`
def pytest_configure(config: pytest.Config) -> None:
    """Make the folder in the process that was started; its workers hold it too."""
    if hasattr(config, "workerinput"):
        config.add_cleanup(hold(Path(tempfile.gettempdir()).parent).close)
        return
    parent = Path(tempfile.gettempdir()).resolve()
    folder = RunFolder(parent)
    if reason := missing_room(parent, config.option.room, shutil.disk_usage(parent).free):
        folder.remove(keep_failed=False)
        pytest.exit(reason, returncode=pytest.ExitCode.USAGE_ERROR)
    config.option.basetemp = config.option.basetemp or folder.pytest
    os.environ["TMPDIR"] = str(folder.files)
    tempfile.tempdir = None  # read again
    config.pluginmanager.register(_Run(folder))
