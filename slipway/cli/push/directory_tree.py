"""The entries of a directory that go into its archive: all that no pattern excludes."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from slipway.archive.archive_limits import ArchiveLimits
from slipway.cli.command_error import CommandError
from slipway.cli.exit_codes import ExitCode
from slipway.cli.push.ignore_patterns import IgnorePatterns, read_patterns
from slipway.client.printable import printable

_MAX_DEPTH = ArchiveLimits().depth


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


def read_tree(directory: Path, ignore: Sequence[str] = ()) -> DirectoryTree:
    """The entries below `directory`. Its name becomes the archive's top directory. `ignore` are patterns in addition to
    those of the directory and the default ones. Raises CommandError."""
    root = Path(os.path.realpath(directory))
    tree = DirectoryTree(_text(root.name))
    if not (root / "game").is_dir():
        raise CommandError(
            f"{directory} has no game/ folder, so it is not a packaged game. Push the folder that contains game/ and "
            "the launcher.",
            ExitCode.REFUSED_ARCHIVE,
            "invalid_archive",
        )
    top = TreeEntry(tree.top, str(root), root.lstat())
    if tree.top.encode() != os.fsencode(root.name):
        raise _unusable(top, "has a name that is not UTF-8")
    _add(tree, top, read_patterns(root, ignore))
    return tree


def _add(tree: DirectoryTree, entry: TreeEntry, patterns: IgnorePatterns) -> None:
    kind = stat.S_IFMT(entry.status.st_mode)
    if entry.name.count("/") >= _MAX_DEPTH:
        raise _unusable(entry, f"is more than {_MAX_DEPTH} folders deep")
    if kind not in {stat.S_IFDIR, stat.S_IFREG, stat.S_IFLNK}:
        raise _unusable(entry, "is not a file, a folder or a link")
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
            inner = TreeEntry(f"{entry.name}/{_text(child.name)}", child.path, child.stat(follow_symlinks=False))
            below_top = inner.name.partition("/")[2]
            if patterns.excludes(below_top, is_folder=child.is_dir(follow_symlinks=False)):
                tree.excluded.append(below_top)
                continue
            if inner.name.encode().rpartition(b"/")[2] != os.fsencode(child.name):
                raise _unusable(inner, "has a name that is not UTF-8")
            _add(tree, inner, patterns)
    except OSError as error:
        raise _unusable(entry, f"cannot be read ({error.strerror})") from error


def _text(name: str) -> str:
    """A name of the file system as text; bytes that are not UTF-8 are replaced. With `LC_ALL=C` Python may read names
    as ASCII."""
    return os.fsencode(name).decode("utf-8", "replace")


def _unusable(entry: TreeEntry, what: str) -> CommandError:
    return CommandError(
        f"{printable(entry.name)} {what}. Change or remove it, then push again.",
        ExitCode.REFUSED_ARCHIVE,
        "invalid_archive",
    )
