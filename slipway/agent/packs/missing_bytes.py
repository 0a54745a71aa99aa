"""How much of a pack an attempt has still to fetch that continues an earlier one."""

from __future__ import annotations

import stat
from pathlib import Path

from slipway.agent.packs.assemblies import BLOCK_BYTES
from slipway.packs.format.index import Index
from slipway.packs.format.patch_format import Patch
from slipway.packs.transfer_plan import plan_transfer


def missing_bytes(index: Index, tree: Path, older: Index | None, patch: Patch | None) -> int:
    """About how many bytes of the pack are not in `tree` yet, for a client that has the build of `older` whole, or
    nothing. Reads no file: of each, the share that is on the disk counts as fetched."""
    wanted = plan_transfer(index, older, patch).wanted
    missing = 0.0
    for entry in index.files():
        stored = 0
        for chunk in index.chunks_of(entry):
            stored += index.chunks.stored[chunk] * wanted[chunk]
            wanted[chunk] = 0  # another file that has it, or another place in this one, adds nothing
        if stored:
            missing += stored * (1 - _share_on_disk(tree / index.path(entry), index.size(entry)))
    return round(missing)


def _share_on_disk(path: Path, size: int) -> float:
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return 0
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        return 0
    return min(1, status.st_blocks * BLOCK_BYTES / size)
