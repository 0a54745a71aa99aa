"""The entries of a directory that go into its archive: all except files of version control and macOS metadata."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from slipway.cli.command_error import CommandError
from slipway.cli.exit_codes import ExitCode
from slipway.client.printable import printable

EXCLUDED_NAMES = frozenset({".git", ".DS_Store", "__MACOSX"})


@dataclass(frozen=True)
class TreeEntry:
    """One member: its name in the archive, its path on disk, and its status."""

    name: str
    path: str
    status: os.stat_result


@dataclass
class DirectoryTree:
    """Entries in the archive's order, the total bytes of their contents, and excluded paths (relative to the top)."""

    top: str
    entries: list[TreeEntry] = field(default_factory=list)
    size: int = 0
    excluded: list[str] = field(default_factory=list)


def read_tree(directory: Path) -> DirectoryTree:
    """The entries below `directory`. Its name becomes the archive's top directory. Raises CommandError."""
    root = Path(os.path.realpath(directory))
    tree = DirectoryTree(root.name)
    if not (root / "game").is_dir():
        raise CommandError(
            f"{directory} has no game/ folder, so it is not a packaged game. Push the folder that contains game/ and "
            "the launcher.",
            ExitCode.REFUSED_ARCHIVE,
            "invalid_archive",
        )
    _add(tree, TreeEntry(tree.top, str(root), root.lstat()))
    return tree


def _add(tree: DirectoryTree, entry: TreeEntry) -> None:
    kind = stat.S_IFMT(entry.status.st_mode)
    if kind not in {stat.S_IFDIR, stat.S_IFREG, stat.S_IFLNK}:
        raise _unusable(entry, "is not a file, a folder or a link")
    try:
        entry.name.encode()
    except UnicodeEncodeError:
        raise _unusable(entry, "has a name that is not UTF-8") from None
    tree.entries.append(entry)
    if kind == stat.S_IFREG:
        tree.size += entry.status.st_size
    if kind != stat.S_IFDIR:
        return
    try:
        with os.scandir(entry.path) as listing:
            # Sorted by bytes, so that the order does not depend on the locale.
            found = sorted(listing, key=lambda child: os.fsencode(child.name))
        for child in found:
            name = f"{entry.name}/{child.name}"
            if child.name in EXCLUDED_NAMES or child.name.startswith("._"):
                tree.excluded.append(name.partition("/")[2])
            else:
                _add(tree, TreeEntry(name, child.path, child.stat(follow_symlinks=False)))
    except OSError as error:
        raise _unusable(entry, f"cannot be read ({error.strerror})") from error


def _unusable(entry: TreeEntry, what: str) -> CommandError:
    name = printable(entry.name.encode(errors="replace").decode())
    return CommandError(
        f"{name} {what}. Change or remove it, then push again.", ExitCode.REFUSED_ARCHIVE, "invalid_archive"
    )
