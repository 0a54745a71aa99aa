"""What other tools send for the same update. Each returns the bytes that travel, or None where it is not installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path


def rsync(old: Path, new: Path, work: Path) -> int | None:
    """`rsync -az` of the folder, with its own delta transfer."""
    if not shutil.which("rsync"):
        return None
    target = work / "rsync"
    subprocess.run(["cp", "-a", f"{old}/.", target], check=True)
    said = subprocess.run(
        ["rsync", "-az", "--no-whole-file", "--delete", "--stats", f"{new}/", target],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    shutil.rmtree(target)
    sums = re.findall(r"Total bytes (?:sent|received): ([\d,]+)", said)
    return sum(int(number.replace(",", "")) for number in sums)


def casync(old: Path, new: Path, work: Path) -> int | None:
    """Chunks that the second build adds to the store, and its index."""
    if not shutil.which("casync"):
        return None
    store = work / "store"
    _casync_make(store, work / "old.caidx", old)
    before = set(store.rglob("*.cacnk"))
    _casync_make(store, work / "new.caidx", new)
    added = sum(chunk.stat().st_size for chunk in set(store.rglob("*.cacnk")) - before)
    shutil.rmtree(store)
    return added + (work / "new.caidx").stat().st_size


def _casync_make(store: Path, index: Path, folder: Path) -> None:
    command: list[str | Path] = [
        "casync",
        "make",
        "--without=all",
        "--with=permissions",
        "--with=symlinks",
        f"--store={store}",
        index,
    ]
    subprocess.run([*command, folder], check=True, capture_output=True)


def xdelta3(old_tar: Path, new_tar: Path, work: Path) -> int | None:
    """`xdelta3 -9 -B=size` of the tar."""
    if not shutil.which("xdelta3"):
        return None
    made = work / "xdelta"
    window = old_tar.stat().st_size
    command: list[str | Path] = ["xdelta3", "-f", "-e", "-9", "-B", str(window), "-s", old_tar, new_tar, made]
    subprocess.run(command, check=True, capture_output=True)
    return made.stat().st_size


def zstd(old_tar: Path, new_tar: Path, work: Path) -> int | None:
    """`zstd --patch-from` of the tar, at level 9."""
    if not shutil.which("zstd"):
        return None
    made = work / "zstd"
    command: list[str | Path] = ["zstd", "-q", "-f", "-9", "--long=31", f"--patch-from={old_tar}", new_tar, "-o", made]
    subprocess.run(command, check=True, capture_output=True)
    return made.stat().st_size
