"""Directories to make packs of: made by hypothesis, written to disk, and read back for comparing."""

from __future__ import annotations

import os
import random
import stat
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import strategies as st

TOP = "mygame"


@dataclass(frozen=True)
class Tree:
    """Paths below the top directory. `files` maps a path to content and x bit, links map a path to its target."""

    files: dict[str, tuple[bytes, bool]] = field(default_factory=dict)
    directories: tuple[str, ...] = ()
    symlinks: dict[str, str] = field(default_factory=dict)
    hard_links: dict[str, str] = field(default_factory=dict)

    def write(self, root: Path) -> Path:
        """Make the tree below `root`, which is made too; returns it."""
        top = root / TOP
        top.mkdir(parents=True)
        for path in self.directories:
            (top / path).mkdir(parents=True, exist_ok=True)
        for path, (content, program) in self.files.items():
            place = top / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
            place.chmod(0o755 if program else 0o644)
        for path, target in self.symlinks.items():
            (top / path).parent.mkdir(parents=True, exist_ok=True)
            (top / path).symlink_to(target)
        for path, target in self.hard_links.items():
            (top / path).parent.mkdir(parents=True, exist_ok=True)
            (top / path).hardlink_to(top / target)
        return root


def installed_mode(path: Path) -> int:
    """The mode that an installed copy of a file has."""
    return stat.S_IMODE(path.stat().st_mode) & 0o555


Stood = dict[str, tuple[str, int, bytes]]


def standing(root: Path) -> Stood:
    """What stands below `root`: by path its type, its mode (of files, without write bits, as installed) and its
    content, a link's target, or for hard links the first name of the file."""
    found: Stood = {}
    first: dict[int, str] = {}
    for path in sorted(root.rglob("*"), key=lambda path: path.parts):
        name, status = str(path.relative_to(root)), path.lstat()
        if stat.S_ISLNK(status.st_mode):
            found[name] = ("link", 0, os.readlink(os.fsencode(path)))  # noqa: PTH115 - bytes
        elif stat.S_ISDIR(status.st_mode):
            found[name] = ("directory", 0, b"")
        elif status.st_nlink > 1 and first.setdefault(status.st_ino, name) != name:
            found[name] = ("hard link", 0, first[status.st_ino].encode())
        else:
            found[name] = ("file", installed_mode(path), path.read_bytes())
    return found


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that no compression shortens; the same for the same arguments."""
    return random.Random(seed).randbytes(size)


NAMES = st.sampled_from(["a", "b", "c", "d-e", "d", "é", "ü" * 60, "x.rpa", "script.rpyc", " ", "日本", "n" * 200, "-"])
CONTENTS = st.one_of(
    st.just(b""),
    st.binary(max_size=40),
    st.builds(noise, st.sampled_from([1, 100, 65_535, 65_536, 65_537, 300_000, 1_400_000]), st.integers(0, 5)),
    st.builds(lambda size: bytes(size), st.sampled_from([1, 70_000, 3_000_000])),
    st.builds(lambda size, seed: noise(300, seed) * size, st.sampled_from([10, 5000]), st.integers(0, 3)),
    st.builds(
        lambda seeds: (
            b"RPA-3.0 0000000000000000 00000000\n"
            + b"".join(b"Made with Ren'Py." + noise(20_000 + 30_000 * (seed % 4), seed) for seed in seeds)
        ),
        st.lists(st.integers(0, 8), max_size=8),
    ),
)


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Any tree that an archive may hold."""
    paths = draw(st.lists(st.builds("/".join, st.lists(NAMES, min_size=1, max_size=4)), max_size=9, unique=True))
    # A path that goes on below another makes that one a directory.
    leaves = [path for path in paths if not any(other.startswith(f"{path}/") for other in paths)]
    files: dict[str, tuple[bytes, bool]] = {}
    directories, symlinks, hard_links = [], {}, {}
    for path in leaves:
        match draw(st.sampled_from(["file", "file", "file", "directory", "symlink", "hard link"])):
            case "directory":
                directories.append(path)
            case "symlink":
                symlinks[path] = draw(st.sampled_from(["missing", "a", "./a/b", path.rpartition("/")[2]]))
            case "hard link" if files:
                hard_links[path] = draw(st.sampled_from(sorted(files)))
            case _:
                files[path] = (draw(CONTENTS), draw(st.booleans()))
    return Tree(files, tuple(directories), symlinks, hard_links)
