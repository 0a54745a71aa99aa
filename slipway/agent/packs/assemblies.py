"""Builds that are being made from packs. They survive a restart: what is in place is not fetched again."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from slipway.agent.cache.cache_layout import CacheLayout
from slipway.agent.path_names import BuildKey, parse_build_key
from slipway.packs.tree_modes import remove_tree

BLOCK_BYTES = 512  # the unit of st_blocks


class Assembly:
    """The files of one unfinished build. Their names contain the index's SHA-256: a directory is never continued with
    another index."""

    def __init__(self, layout: CacheLayout, key: BuildKey, index_sha256: str) -> None:
        name = f"{key}.{index_sha256}"
        self.tree = layout.assembling / name
        self.index = layout.assembling / f"{name}.index"
        self.patch = layout.assembling / f"{name}.patch"

    @property
    def is_begun(self) -> bool:
        """Whether an earlier attempt has put something in place."""
        return self.tree.is_dir() and any(self.tree.iterdir())

    @property
    def paths(self) -> set[Path]:
        return {self.tree, self.index, self.patch}


def keys_being_assembled(layout: CacheLayout) -> set[BuildKey]:
    return {key for path in layout.assembling.iterdir() if (key := _key(path))}


def drop_assemblies(layout: CacheLayout, key: BuildKey, but: Assembly | None = None) -> None:
    """Delete the unfinished builds with this key, except `but`. Raises OSError."""
    kept = but.paths if but else set()
    for path in list(layout.assembling.iterdir()):
        if _key(path) == key and path not in kept:
            remove_tree(path)


def assembled_bytes(layout: CacheLayout, key: BuildKey) -> int:
    """The bytes on disk that an unfinished build has."""
    return sum(allocated_bytes(path) for path in layout.assembling.iterdir() if _key(path) == key)


def allocated_bytes(root: Path) -> int:
    """The bytes on disk of the files below `root`, without those that are linked with another build's."""
    total = 0
    for folder, _, names in os.walk(root):
        for name in names:
            status = Path(folder, name).lstat()
            if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
                total += status.st_blocks * BLOCK_BYTES
    return total


def _key(path: Path) -> BuildKey | None:
    game_id, _, rest = path.name.partition(".")
    return parse_build_key(f"{game_id}.{rest.partition('.')[0]}")
