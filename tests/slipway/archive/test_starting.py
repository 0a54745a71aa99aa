"""Games that cannot start are refused, and those that may not start are accepted with a warning."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.packaging_tools import Tool, tool_of
from slipway.archive.tar.tar_header import BLOCK_BYTES, parse_header
from slipway.archive.unpacking import unpack
from tests.slipway.archive.inspect_archive import assert_refused, inspect
from tests.slipway.archive.packagers import bsdtar, gnu_tar, python_tar, seven_zip
from tests.slipway.archive.tar_writer import END, directory, file, game, gz, hard_link, symlink

TOP = directory("mygame/") + directory("mygame/game/")
ENGINE = "mygame/lib/py3-linux-x86_64/mygame"


def with_launcher(text: bytes, *members: bytes, mode: int = 0o755) -> bytes:
    return gz(TOP + file("mygame/start.sh", text, mode=mode) + b"".join(members) + END)


@pytest.mark.parametrize(
    ("text", "problem", "remedy"),
    [
        (b"", "is empty", "Export the game again"),
        (b" \r\n\n", "is empty", "Export the game again"),
        (b"#!/bin/sh\r\nexec ./x\r\n", "has Windows line ends (CRLF), so a session would end with exit", "sed -i"),
        (b"#!/usr/bin/env bash\r\n", "has Windows line ends (CRLF)", "sed -i 's/\\r$//' mygame/start.sh && "),
        ("#!/bin/sh\n".encode("utf-16"), "is saved as UTF-16", "Save it as UTF-8"),
        (b"MZ\x90\0", "is a Windows program", "Build the game for Linux"),
        (b"\x89PNG\r\0\n", "is not a script: its first line has a NUL byte", "Put the script"),
    ],
    ids=["empty", "blank", "CRLF", "CRLF env", "UTF-16", "exe", "binary"],
)
@pytest.mark.parametrize("launcher", ["start.sh", None])
def test_a_launcher_that_can_never_start_is_refused(
    text: bytes, problem: str, remedy: str, launcher: str | None
) -> None:
    assert_refused(
        with_launcher(text),
        launcher=launcher,
        member="mygame/start.sh",
        problem=f"The launcher mygame/start.sh {problem}",
        remedy=remedy,
    )


@pytest.mark.parametrize("text", [b"", b"#!/bin/sh\r\nexec ./x\r\n", "#!/bin/sh\n".encode("utf-16"), b"MZ\x90\0"])
def test_what_is_refused_does_not_start_here_either(tmp_path: Path, text: bytes) -> None:
    """An empty file "starts" in a shell and ends at once, so it is tried without one."""
    script = tmp_path / "start.sh"
    script.write_bytes(text)
    script.chmod(0o755)
    try:
        ended = subprocess.run([script], capture_output=True, check=False).returncode
    except OSError:
        return
    assert ended in (126, 127)


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (b"exec ./x\n", "The launcher mygame/start.sh does not begin with #!, so only a shell can start it"),
        (b"\xef\xbb\xbf#!/bin/sh\n", "The launcher mygame/start.sh begins with a byte order mark"),
        (b"#!/bin/sh\ncd lib\nexec ./x\r\n", "has Windows line ends (CRLF) in line 3, so a session may end with exit"),
    ],
    ids=["no #!", "BOM", "mixed"],
)
def test_a_launcher_that_may_not_start_is_a_warning(text: bytes, warning: str) -> None:
    (found,) = inspect(with_launcher(text)).warnings
    assert warning in found


@pytest.mark.parametrize("text", [b"#!/bin/sh\n", b"\x7fELF\0\r\n", b"#!/bin/sh\ntail -n +3 $0\n\0\0\r"])
def test_a_launcher_that_starts_has_no_warning(text: bytes) -> None:
    assert inspect(with_launcher(text)).warnings == ()


def test_a_server_unpacks_what_an_older_platform_released(tmp_path: Path) -> None:
    for number, text in enumerate((b"", b"#!/bin/sh\r\n")):
        into = tmp_path / str(number)
        into.mkdir()
        found = unpack(io.BytesIO(with_launcher(text)), into, ArchiveLimits(), "start.sh")
        assert (found.launcher, found.warnings) == ("start.sh", ())


def test_only_the_launcher_must_start() -> None:
    other = file("mygame/other.sh", b"#!/bin/sh\r\n", mode=0o755)
    assert inspect(with_launcher(b"#!/bin/sh\n", other)).warnings == ()


def test_a_launcher_that_is_a_hard_link_is_read_where_its_text_is() -> None:
    bad = file("mygame/other.sh", b"#!/bin/sh\r\n", mode=0o755)
    assert_refused(
        game(bad, hard_link("mygame/play.sh", "mygame/other.sh")),
        launcher="play.sh",
        member="mygame/play.sh",
        problem="has Windows line ends",
        remedy="sed -i",
    )
    elsewhere = file("mygame/lib/x", b"#!/bin/sh\r\n", mode=0o755)
    assert inspect(game(elsewhere, hard_link("mygame/play.sh", "mygame/lib/x")), launcher="play.sh").warnings == ()


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (ENGINE, b"#!/bin/sh\n"),
        (ENGINE, b"\x7fELF\x02"),
        ("mygame/lib/linux-x86_64/python3.9", b"\x7fELF\x02"),
        ("mygame/lib/linux-x86_64/start", b"#!/bin/sh\n"),
    ],
)
def test_a_program_without_an_execute_bit_is_a_warning(path: str, content: bytes) -> None:
    (warning,) = inspect(game(file(path, content))).warnings
    assert warning.startswith(f"{path} is a program without an execute bit. If mygame/start.sh runs it, a session ends")
    assert "exit status 126" in warning
    assert f"chmod +x {path}" in warning
    assert inspect(game(file(path, content, mode=0o755))).warnings == ()


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("mygame/lib/py3-linux-x86_64/librenpython.so", b"\x7fELF\x02"),
        ("mygame/lib/py3-linux-x86_64/libfoo.so.1.2", b"\x7fELF\x02"),
        ("mygame/lib/python3.9/cgi.py", b"#! /usr/bin/env python3\n"),
        ("mygame/lib/py3-windows-x86_64/mygame.exe", b"MZ"),
        ("mygame/lib/py3-linux-x86_64/notes", b"text"),
        ("mygame/lib/py3-linux-x86_64/empty", b""),
        ("mygame/lib/a/b/deep", b"#!/bin/sh\n"),
        ("mygame/game/script", b"#!/bin/sh\n"),
    ],
)
def test_other_files_need_no_execute_bit(path: str, content: bytes) -> None:
    assert inspect(game(file(path, content))).warnings == ()


def test_the_list_of_programs_is_bounded() -> None:
    many = [file(f"mygame/lib/x/tool{number}", b"\x7fELF") for number in range(12)]
    warnings = inspect(game(*many, symlink("mygame/lib/x/link", "tool1"))).warnings
    assert len(warnings) == 6
    assert warnings[-1] == "7 more programs in lib/ have no execute bit"


@pytest.fixture
def studio(tmp_path: Path) -> Path:
    """A game whose launcher and engine have no execute bit."""
    root = tmp_path / "studio"
    for path, content in {
        "mygame/start.sh": b"#!/bin/sh\n",
        "mygame/game/script.rpy": b"label start:\n",
        ENGINE: b"\x7fELF\x02",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
        (root / path).chmod(0o644)
    return root


Pack = Callable[[Path, Path], bytes]
TOOLS: dict[str, tuple[Tool, Pack, str]] = {
    "GNU tar": (Tool.GNU_TAR, lambda root, _: gnu_tar(root), "tar czf game.tar.gz mygame"),
    "GNU tar --posix": (Tool.GNU_TAR, lambda root, _: gnu_tar(root, "--posix"), "tar czf game.tar.gz mygame"),
    "bsdtar": (Tool.BSDTAR, lambda root, _: bsdtar(root), "bsdtar -czf game.tar.gz mygame"),
    "7-Zip": (Tool.SEVEN_ZIP, seven_zip, "7z a -ttar game.tar mygame && 7z a game.tar.gz game.tar"),
    "Python": (Tool.PYTHON, lambda root, _: python_tar(root), "python3 -m tarfile -c game.tar.gz mygame"),
    "Python, GNU format": (
        Tool.PYTHON,
        lambda root, _: python_tar(root, 1),
        "python3 -m tarfile -c game.tar.gz mygame",
    ),
}


@pytest.mark.parametrize("name", TOOLS)
def test_the_remedy_is_a_command_of_the_program_that_made_the_archive(name: str, studio: Path, tmp_path: Path) -> None:
    _, pack, command = TOOLS[name]
    assert_refused(
        pack(studio, tmp_path),
        member="mygame/start.sh",
        problem="The launcher mygame/start.sh is not executable",
        remedy=f"Make it executable and package again: chmod +x mygame/start.sh && {command}",
    )
    (studio / "mygame/start.sh").chmod(0o755)
    again = tmp_path / "again"
    again.mkdir()
    (warning,) = inspect(pack(studio, again)).warnings
    assert f"chmod +x {ENGINE} && {command}" in warning
    # The command does what it says.
    ended = subprocess.run(f"chmod +x {ENGINE} && {command}", shell=True, cwd=studio, capture_output=True, check=False)
    assert ended.returncode == 0
    assert inspect((studio / "game.tar.gz").read_bytes()).warnings == ()


@pytest.mark.parametrize("name", TOOLS)
def test_the_program_is_told_by_the_headers(name: str, studio: Path, tmp_path: Path) -> None:
    tool, pack, _ = TOOLS[name]
    data = pack(studio, tmp_path)
    tar = subprocess.run(["gzip", "-dc"], input=data, capture_output=True, check=False).stdout
    member = next(at for at in range(0, len(tar), BLOCK_BYTES) if tar[at : at + 8] == b"mygame/\0")
    assert tool_of(data[:10], parse_header(tar[member : member + BLOCK_BYTES]).style) is tool


@pytest.mark.parametrize("mode", [0o666, 0o444])
@pytest.mark.parametrize("launcher", ["start.sh", None])
def test_an_archive_from_windows_is_told_so(mode: int, launcher: str | None) -> None:
    assert_refused(
        with_launcher(b"#!/bin/sh\n", mode=mode),
        launcher=launcher,
        member="mygame/start.sh" if launcher else None,
        problem="start.sh",
        remedy="Windows has no execute bits, so Python on Windows cannot store one. Package on Linux or macOS, or in "
        "WSL: wsl chmod +x mygame/start.sh && wsl tar czf game.tar.gz mygame",
    )


def test_an_archive_of_windows_own_tar_is_told_so(studio: Path) -> None:
    """It is bsdtar, and reports files with mode 0666."""
    for path in studio.rglob("*"):
        path.chmod(0o777 if path.is_dir() else 0o666)
    assert_refused(
        bsdtar(studio), member="mygame/start.sh", problem="is not executable", remedy="so tar on Windows cannot store"
    )


def test_headers_without_a_known_style_get_the_usual_command() -> None:
    assert tool_of(b"", b"") is Tool.UNKNOWN
    assert tool_of(b"\x1f\x8b\x08\0\0\0\0\0\0\xff", b"ustar\x0000r0\0") is Tool.UNKNOWN  # Go
