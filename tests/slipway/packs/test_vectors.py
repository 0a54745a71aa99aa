"""The format is what docs/pack-format.md describes.

A reader written from that page reads what the library writes, and the library reads what was stored when version 1 was
written down.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.unpacking import unpack as unpack_archive
from slipway.packs.applying import PatchObject, apply
from slipway.packs.assembling.archive_assembling import assemble_archive
from slipway.packs.assembling.update_reading import read_update as read_update_file
from slipway.packs.format.index_decoding import decode_index
from slipway.packs.format.index_transfer import IndexReference, decompress_index
from slipway.packs.format.patch_format import decode_patch
from slipway.packs.format.update_file import BaseTable
from slipway.packs.local_reuse import LocalBuild
from tests.slipway.packs.builds import Build, BytesSource, make_build, patch_between
from tests.slipway.packs.independent_reader import (
    Table,
    patched_chunks,
    read_chunk,
    read_table,
    read_update,
    unpack,
    updated_contents,
)
from tests.slipway.packs.trees import Tree, standing
from tests.slipway.packs.vectors.make import FIRST, HERE, SECOND

EXPECTED: dict[str, Any] = json.loads((HERE / "expected.json").read_text())


def stored(name: str) -> bytes:
    return (HERE / name).read_bytes()


def contents(table: Table, pack: bytes) -> dict[str, bytes]:
    return {
        path: b"".join(read_chunk(table, pack, number) for number in chunks)
        for kind, path, _, chunks in table.entries
        if kind in (1, 2)
    }


@pytest.mark.parametrize(("number", "tree"), [("1", FIRST), ("2", SECOND)])
def test_the_vectors_are_read_by_the_page_alone(number: str, tree: Tree) -> None:
    table = read_table(unpack(stored(f"{number}.index")))

    assert hashlib.sha256(unpack(stored(f"{number}.index"))).hexdigest() == EXPECTED[number]["sha256"]
    assert contents(table, stored(f"{number}.pack")) == {
        f"mygame/{path}": content for path, (content, _) in tree.files.items()
    }
    programs = {path for kind, path, _, _ in table.entries if kind == 2}
    assert programs == {f"mygame/{path}" for path, (_, program) in tree.files.items() if program}
    links = {path: target for kind, path, target, _ in table.entries if kind in (3, 4)}
    assert links == EXPECTED[number]["links"]
    assert "mygame/saves" in {path for kind, path, _, _ in table.entries if kind == 0}
    assert [list(generation) for generation in table.generations] == EXPECTED[number]["generations"]


def test_the_delta_and_the_patch_are_read_by_the_page_alone() -> None:
    old_table = unpack(stored("1.index"))
    new_table = unpack(stored("2.index.d1"), old_table)
    assert new_table == unpack(stored("2.index"))
    old, new = read_table(old_table), read_table(new_table)
    made = patched_chunks(stored("2.patch.1"), old, stored("1.pack"), new)

    assert made
    assert all(read_chunk(new, stored("2.pack"), number) == content for number, content in made.items())


def test_the_update_file_is_read_by_the_page_alone() -> None:
    base = unpack(stored("1.index"))
    table, sent = read_update(stored("2.update.1"), base)
    found = updated_contents(read_table(table), sent, read_table(base), stored("1.pack"))
    assert found == {f"mygame/{path}": content for path, (content, _) in SECOND.files.items()}


def test_the_library_assembles_the_archive_of_the_update_file(tmp_path: Path) -> None:
    encoded = unpack(stored("1.index"))
    file = stored("2.update.1")
    base = BaseTable(decode_index(encoded), encoded)
    update = read_update_file(BytesSource(file), len(file), base, BytesSource(stored("1.pack")), ArchiveLimits(), None)
    archive = io.BytesIO()
    assemble_archive(update, archive, lambda _: None)
    tar = gzip.decompress(archive.getvalue())
    assert hashlib.sha256(tar).hexdigest() == EXPECTED["2"]["tarSha256"]
    unpack_archive(io.BytesIO(archive.getvalue()), tmp_path, ArchiveLimits(), None)
    assert standing(tmp_path / "mygame") == standing(SECOND.write(tmp_path / "second") / "mygame")


@pytest.mark.parametrize("number", ["1", "2"])
def test_the_library_reads_the_vectors(number: str) -> None:
    expected = EXPECTED[number]
    reference = IndexReference(expected["sha256"], expected["size"])
    index = decode_index(decompress_index(stored(f"{number}.index"), reference))
    files = {index.path(entry): [index.size(entry), index.identity(entry).hex()] for entry in index.files()}

    assert files == expected["files"]
    assert {index.path(entry): index.target(entry) for entry in index.entries.targets} == expected["links"]


def test_what_is_written_today_is_the_same_format(tmp_path: Path) -> None:
    """The table does not depend on the zstd at hand but for stored lengths, so cutting and hashes are held to it."""
    first = make_build(tmp_path, FIRST, 1)
    second = make_build(tmp_path, SECOND, 2, first)
    for build, number in ((first, "1"), (second, "2")):
        now, then = read_table(build.written.encoded), read_table(unpack(stored(f"{number}.index")))
        assert now.entries == then.entries
        assert [chunk[:2] for chunk in now.chunks] == [chunk[:2] for chunk in then.chunks]
        assert contents(now, build.pack) == contents(then, stored(f"{number}.pack"))
    assert_patch_is_read(first, second)


def assert_patch_is_read(first: Build, second: Build) -> None:
    patch = patch_between(first, second)
    assert patch
    old, new = read_table(first.written.encoded), read_table(second.written.encoded)
    made = patched_chunks(patch.encoded, old, first.pack, new)
    assert sorted(made) == sorted(chunk for record in patch.table.records for chunk in record.made)


def test_the_library_installs_and_updates_from_the_vectors(tmp_path: Path) -> None:
    indexes = {number: decode_index(unpack(stored(f"{number}.index"))) for number in ("1", "2")}
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    apply(indexes["1"], one, BytesSource(stored("1.pack")))
    patch = stored("2.patch.1")
    table = decode_patch(patch, indexes["1"], EXPECTED["1"]["sha256"], indexes["2"], EXPECTED["2"]["sha256"])
    apply(
        indexes["2"],
        two,
        BytesSource(stored("2.pack")),
        old=LocalBuild(one, indexes["1"]),
        patch=PatchObject(table, patch),
    )

    assert standing(one) == standing(FIRST.write(tmp_path / "first"))
    assert standing(two) == standing(SECOND.write(tmp_path / "second"))
