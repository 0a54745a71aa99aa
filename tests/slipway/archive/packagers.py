"""The packaging programs of other people. Without one of them its tests fail."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

PACKAGES = {"bsdtar": "libarchive-tools", "7z": "p7zip-full"}


def require(program: str) -> str:
    """The path of a program. Fails the test if it is not installed."""
    found = shutil.which(program)
    if found is None:
        pytest.fail(f"{program} is missing. On Debian and Ubuntu: apt-get install {PACKAGES.get(program, program)}")
    return found


def gnu_tar(root: Path, *options: str, top: str = "mygame") -> bytes:
    """The directory `top` of `root` as a tar.gz of GNU tar."""
    return subprocess.run(["tar", *options, "-czf", "-", "-C", root, top], check=True, capture_output=True).stdout


def bsdtar(root: Path, *options: str, top: str = "mygame") -> bytes:
    """As bsdtar writes it to a pipe: padded to whole records."""
    command = [require("bsdtar"), *options, "-czf", "-", "-C", str(root), top]
    return subprocess.run(command, check=True, capture_output=True).stdout


def seven_zip(root: Path, folder: Path) -> bytes:
    """As 7-Zip makes it in two steps; its files are left in `folder`."""
    tar, packed = folder / "game.tar", folder / "game.tar.gz"
    for command in (["a", "-ttar", str(tar), "mygame"], ["a", "-tgzip", str(packed), str(tar)]):
        subprocess.run([require("7z"), *command], cwd=root, check=True, capture_output=True)
    return packed.read_bytes()


def python_tar(root: Path, tar_format: int = tarfile.PAX_FORMAT) -> bytes:
    """As Python's tarfile makes it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tar_format) as tar:
        tar.add(root / "mygame", "mygame")
    return buffer.getvalue()
