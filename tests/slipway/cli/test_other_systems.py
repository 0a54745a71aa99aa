"""Windows and macOS, as far as they can be tested on Linux: the command runs without what they lack."""

from __future__ import annotations

import io
import os
import stat
import sys
import tarfile
from pathlib import Path

import pytest

from slipway.cli.exit_codes import ExitCode
from slipway.cli.push import packing
from slipway.cli.push.directory_tree import read_tree
from slipway.cli.push.packing import pack
from slipway.client.durable import read_json, write_json
from tests.app.runtime.processes import wait_until
from tests.app.uploads.raw.live import World
from tests.game_archives import big_archive
from tests.slipway.cli.cli_process import Slipway, ended
from tests.slipway.cli.game_folders import LAUNCHER, game_folder
from tests.slipway.cli.storage_proxy import StorageLine

# Python's documentation gives their availability as Unix.
MISSING_ON_WINDOWS = {
    "os": (
        *("pread", "preadv", "pwrite", "posix_fallocate", "posix_fadvise", "sendfile", "fchmod", "fchown", "chown"),
        *("getuid", "geteuid", "getgid", "setuid", "fork", "forkpty", "killpg", "statvfs", "mkfifo", "uname"),
        *("O_NOFOLLOW", "O_DIRECTORY", "O_CLOEXEC", "O_NONBLOCK", "O_NOCTTY", "O_SYNC"),
    ),
    "signal": (
        "SIGKILL",
        "SIGHUP",
        "SIGPIPE",
        "SIGALRM",
        "SIGUSR1",
        "SIGUSR2",
        "pthread_sigmask",
        "sigwait",
        "setitimer",
    ),
    "modules": ("fcntl", "grp", "pwd", "resource", "termios", "tty", "pty", "syslog"),
}
# The libraries below are loaded first: their own builds for Windows do without.
AS_ON_WINDOWS = f"""
import click, os, rich.console, rich.progress, rich.table, runpy, signal, subprocess, sys, tarfile, tempfile, urllib3
from isal import igzip
missing = {MISSING_ON_WINDOWS!r}
for name in missing["os"]:
    delattr(os, name)
for name in missing["signal"]:
    delattr(signal, name)
for name in missing["modules"]:
    sys.modules[name] = None
sys.dont_write_bytecode = True
assert not any(name.startswith("slipway") for name in sys.modules)
runpy.run_module("slipway.cli", run_name="__main__", alter_sys=True)
"""
COMMAND = (sys.executable, "-c", AS_ON_WINDOWS)


@pytest.mark.slow
def test_every_step_runs_without_what_windows_lacks(slipway: Slipway, world: World, slug: str, tmp_path: Path) -> None:
    folder = game_folder(tmp_path, 20 * 1024**2)
    pushed = slipway("push", folder, slug, "--wait", "released", "--json", command=COMMAND)
    assert (pushed.code, pushed.result["build"]) == (ExitCode.OK, 1), pushed
    assert slipway("push", folder, slug, "--if-changed", "--json", command=COMMAND).result["changed"] is False
    target = tmp_path / "one.tar.gz"
    assert slipway("download", slug, "-o", target, command=COMMAND).code == ExitCode.OK
    assert slipway("push", target, slug, "--json", command=COMMAND).result["bytesSent"] == 0
    for words in (("status", slug), ("builds", slug), ("releases", slug), ("games",), ("--help",)):
        assert slipway(*words, command=COMMAND).code == ExitCode.OK


@pytest.mark.slow
def test_an_interrupted_push_continues_without_what_windows_lacks(
    slipway: Slipway, slug: str, line: StorageLine, tmp_path: Path
) -> None:
    path = tmp_path / "large.tar.gz"
    path.write_bytes(big_archive(70 * 1024**2))
    line.hold_after(66 * 1024**2)
    pushing = slipway.begin("push", path, slug, "--json", command=COMMAND)
    wait_until(lambda: line.holding, 90, "the upload is under way")
    pushing.kill()
    pushing.communicate()
    line.reset()
    again = ended(slipway.begin("push", path, slug, "--json", command=COMMAND))
    assert (again.code, again.result["build"]) == (ExitCode.OK, 1), again
    assert again.result["bytesSent"] + again.result["bytesThereBefore"] == path.stat().st_size


def members(folder: Path) -> dict[str, tarfile.TarInfo]:
    target = io.BytesIO()
    pack(read_tree(folder), target, lambda done: None)
    target.seek(0)
    with tarfile.open(fileobj=target) as tar:
        return {member.name.partition("/")[2]: member for member in tar.getmembers()}


def test_without_execute_bits_scripts_and_programs_are_recognised_by_how_they_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = game_folder(tmp_path)
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(0o666)
    (folder / "game" / "empty").touch()
    monkeypatch.setattr(packing, "_HAS_EXECUTE_BITS", False)
    found = {name: stat.S_IMODE(member.mode) for name, member in members(folder).items() if member.isreg()}
    assert found.pop(LAUNCHER) == 0o755
    assert found.pop("lib/linux-x86_64/engine") == 0o755
    assert set(found.values()) == {0o644}


def test_files_are_written_where_folders_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config" / "state.json"
    open_file = os.open

    def open_as_windows(name: str | Path, flags: int, mode: int = 0o777) -> int:
        if os.path.isdir(name):  # noqa: PTH112 - Path cannot be made with this os.name
            raise PermissionError(13, "Permission denied", str(name))
        return open_file(name, flags, mode)

    with monkeypatch.context() as windows:
        windows.setattr(os, "name", "nt")
        windows.setattr(os, "open", open_as_windows)
        write_json(path, {"build": 1})
    assert read_json(path) == {"build": 1}


def test_links_are_stored_with_slashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = game_folder(tmp_path)
    (folder / "game" / "engine").symlink_to("..\\lib\\linux-x86_64\\engine")
    monkeypatch.setattr(os, "sep", "\\")
    assert members(folder)["game/engine"].linkname == "../lib/linux-x86_64/engine"


def test_names_that_macos_decomposes_are_stored_as_they_are(tmp_path: Path) -> None:
    folder = game_folder(tmp_path)
    (folder / "game" / "café.rpy").touch()
    assert "game/café.rpy" in members(folder)
