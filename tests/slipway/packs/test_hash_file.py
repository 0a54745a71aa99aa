"""Hashes of a build in the making: in a file without a name, and the same as in memory."""

from __future__ import annotations

import errno
import resource
from pathlib import Path

import pytest

from slipway.packs.format.pack_format import HASH_BYTES
from slipway.packs.making.hash_file import HashFile
from slipway.packs.making.tree_cutting import cut_tree
from tests.slipway.packs.trees import Tree, noise

CHUNKS = 3000  # more than the table of numbers begins with


def test_an_index_reads_its_hashes_from_the_file_as_from_memory(tmp_path: Path) -> None:
    files = {f"game/{number}": (noise(40, number % (CHUNKS // 2)), False) for number in range(CHUNKS)}
    root = Tree(files | {"game/large": (noise(2**21), False)}).write(tmp_path / "tree")
    in_memory = cut_tree(root)
    with HashFile(tmp_path) as hashes:
        index = cut_tree(root, hashes=hashes)
        assert [path.name for path in tmp_path.iterdir()] == ["tree"], "the file has no name"
        assert len(hashes) == HASH_BYTES * index.chunk_count
        assert list(map(index.hash, range(index.chunk_count))) == [
            in_memory.hash(chunk) for chunk in range(in_memory.chunk_count)
        ]
        assert index.entries == in_memory.entries, "repeated chunks have the same numbers"


def test_a_full_disk_ends_the_work(tmp_path: Path) -> None:
    """A limit on the size of files fails in the midst of a hash, as a full disk does."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with HashFile(tmp_path) as hashes:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100 * HASH_BYTES + 1, limits[1]))
            for number in range(100):
                hashes.extend(noise(HASH_BYTES, number))
            with pytest.raises(OSError, match="File too large") as error:
                hashes.extend(noise(HASH_BYTES))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert error.value.errno == errno.EFBIG
        assert hashes[99 * HASH_BYTES :] == noise(HASH_BYTES, 99)
