"""Update files of small games, and what a reader makes of them."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from slipway.archive.archive_limits import ArchiveLimits
from slipway.packs.assembling.archive_assembling import assemble_archive
from slipway.packs.assembling.update_reading import read_update
from slipway.packs.format.update_file import BaseTable
from slipway.packs.making.build_writing import WrittenBuild
from slipway.packs.making.tree_cutting import cut_tree
from slipway.packs.making.update_writing import write_update
from slipway.packs.range_sources import RangeSource
from tests.slipway.packs.builds import Build, BytesSource
from tests.slipway.packs.trees import Tree

LIMITS = ArchiveLimits()


def game(tree: Tree) -> Tree:
    """The tree with what makes it a packaged game."""
    files = {"game/script.rpy": (b"label start:\n", False), "start.sh": (b"#!/bin/sh\n", True)}
    return replace(tree, files=tree.files | files)


def update_file(root: Path, base: Build) -> bytes:
    """What a client sends for the tree below `root`."""
    file = io.BytesIO()
    size = update_of_tree(root, base.written, file)
    assert size == len(file.getvalue())
    return file.getvalue()


def update_of_tree(root: Path, base: WrittenBuild, file: BinaryIO) -> int:
    """Write the update file of a tree; its size."""
    return write_update(cut_tree(root), root, BaseTable(base.index, base.encoded), file)


def base_table(base: Build) -> BaseTable:
    return BaseTable(base.written.index, base.written.encoded)


def assembled(file: bytes, base: Build, *, pack: RangeSource | None = None, limits: ArchiveLimits = LIMITS) -> bytes:
    """The archive of an update file."""
    update = read_update(
        BytesSource(file), len(file), base_table(base), pack or BytesSource(base.pack), limits, "start.sh"
    )
    sink = io.BytesIO()
    assemble_archive(update, sink, lambda _: None)
    return sink.getvalue()
