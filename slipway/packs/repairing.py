"""Mending a damaged directory: only what is damaged is fetched, and no file is written to where it stands.

A game may be running from the directory, and its files may share blocks or be linked with another build's: so a damaged
file is made anew beside it and renamed over it.
"""

from __future__ import annotations

import os
import shutil
import stat
from array import array
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from slipway.packs.applying import Applied, apply
from slipway.packs.format.index import Entries, Index, Kind
from slipway.packs.local_reuse import LocalBuild
from slipway.packs.range_sources import RangeSource
from slipway.packs.staging import finish_directories, make_directories
from slipway.packs.tree_files import TreeFiles
from slipway.packs.tree_modes import make_directories_writable, remove_tree
from slipway.packs.verifying import Verification


def repair(
    index: Index,
    root: Path,
    found: Verification,
    pack: RangeSource,
    scratch: Path,
    *,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Applied:
    """Make `root` whole again, given what `verify` found. What the index does not have is left where it is.

    `scratch` is an existing directory on the same file system, empty or left by an attempt that was killed; it is empty
    afterwards. Raises as `apply` does.
    """
    files = {chunk.entry for chunk in found.chunks}
    files |= {entry for entry in found.entries if index.kind(entry).is_file}
    links = {entry for entry in found.entries if index.kind(entry).is_link}
    mended = {index.entries.paths[entry] for entry in files}
    links |= {entry for entry, target in _hard_links(index) if target in mended}
    make_directories_writable(root)
    _clear_directories(root, index, found)
    make_directories(root, index)
    part = _part_of(index, files)
    applied = apply(part, scratch, pack, old=LocalBuild(root, index), progress=progress, cancelled=cancelled)
    make_directories_writable(scratch)  # a file cannot be moved out of a directory that is read-only
    _move_files(part, scratch, root)
    _renew_links(index, root, links)
    finish_directories(root, index)
    for entry in scratch.iterdir():
        remove_tree(entry)
    return applied


def _hard_links(index: Index) -> list[tuple[int, bytes]]:
    return [
        (entry, target)
        for entry, target in index.entries.targets.items()
        if index.entries.kinds[entry] == Kind.HARD_LINK
    ]


def _part_of(index: Index, files: set[int]) -> Index:
    """The same index with only some of its files, and all directories; chunks keep their numbers."""
    entries = Entries([], bytearray(), {}, array("I", [0]), array("I"))
    for entry, kind in enumerate(index.entries.kinds):
        if kind == Kind.DIRECTORY or entry in files:
            entries.paths.append(index.entries.paths[entry])
            entries.kinds.append(kind)
            entries.references.extend(index.chunks_of(entry))
            entries.reference_starts.append(len(entries.references))
    return Index(index.rules, index.generations, entries, index.chunks)


def _clear_directories(root: Path, index: Index, found: Verification) -> None:
    """Remove what stands where a directory should be."""
    with TreeFiles(root) as files:
        for entry in sorted(found.entries):
            if index.kind(entry) is Kind.DIRECTORY:
                try:
                    parent, name = files.directory_of(index.path(entry))
                except FileNotFoundError:  # the directory above is missing too
                    continue
                if not _is_directory(name, parent):
                    _remove(name, parent)


def _move_files(part: Index, scratch: Path, root: Path) -> None:
    with TreeFiles(scratch) as made, TreeFiles(root) as files:
        for entry in part.files():
            source, name = made.directory_of(part.path(entry))
            parent, _ = files.directory_of(part.path(entry))
            if _is_directory(name, parent):  # which a file cannot be renamed over
                shutil.rmtree(name, dir_fd=parent)
            os.rename(name, name, src_dir_fd=source, dst_dir_fd=parent)


def _renew_links(index: Index, root: Path, links: set[int]) -> None:
    with TreeFiles(root) as files, TreeFiles(root) as targets:
        for entry in sorted(links):
            parent, name = files.directory_of(index.path(entry))
            _remove(name, parent)
            if index.kind(entry) is Kind.SYMLINK:
                os.symlink(index.target(entry), name, dir_fd=parent)
            else:
                source, target = targets.directory_of(index.target(entry))
                os.link(target, name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)


def _is_directory(name: str, parent: int) -> bool:
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _remove(name: str, parent: int) -> None:
    """Remove whatever stands there, if anything does."""
    if _is_directory(name, parent):
        shutil.rmtree(name, dir_fd=parent)
    else:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=parent)
