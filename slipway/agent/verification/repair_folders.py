"""The directories in which repairs make files anew. A killed repair leaves one, and the next continues it."""

from __future__ import annotations

import os
from pathlib import Path

from slipway.agent.cache.cache_layout import CacheLayout
from slipway.agent.cache.locks import CacheInUse, lock_until_exit
from slipway.agent.path_names import BuildKey
from slipway.packs.tree_modes import remove_tree


def repair_folder(layout: CacheLayout, key: BuildKey, index_sha256: str) -> Path:
    """The directory for repairs of `key` with this index. Raises OSError."""
    folder = layout.mending / f"{key}.{index_sha256}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def drop_repairs(layout: CacheLayout, key: BuildKey) -> None:
    """Delete what killed repairs of `key` left. Raises OSError."""
    for folder in layout.mending.glob(f"{key}.*"):
        remove_tree(folder)


def drop_abandoned_repairs(layout: CacheLayout) -> None:
    """Delete what killed repairs left, unless one is running. Raises OSError."""
    try:
        lock = lock_until_exit(layout.verify_lock)
    except CacheInUse:
        return
    try:
        for folder in layout.mending.iterdir():
            remove_tree(folder)
    finally:
        os.close(lock)
