"""Files with holes: what bsdtar and GNU tar write is unpacked right, maps that contradict themselves are refused."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.tar.sparse_map import MAX_EXTENTS
from slipway.archive.unpacking import unpack
from tests.slipway.archive.inspect_archive import assert_refused, inspect, inspect_pieces
from tests.slipway.archive.packagers import bsdtar, gnu_tar
from tests.slipway.archive.tar_writer import END, GAME, field, file, game, gz, header, padded, pax

MIB = 2**20
FORMS = {
    "bsdtar, unasked": lambda root: bsdtar(root),
    "bsdtar --format=pax": lambda root: bsdtar(root, "--format=pax"),
    "tar --posix -S": lambda root: gnu_tar(root, "--posix", "-S"),
    "tar -S": lambda root: gnu_tar(root, "--format=gnu", "-S"),
    "tar --format=oldgnu -S": lambda root: gnu_tar(root, "--format=oldgnu", "-S"),
}


@pytest.fixture(scope="session")
def holed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A game whose files have holes at their beginning, in their middle, at their end, everywhere, and in many
    places."""
    root = tmp_path_factory.mktemp("holed")
    top = root / "mygame"
    (top / "game").mkdir(parents=True)
    (top / "start.sh").write_bytes(b"#!/bin/sh\n")
    (top / "start.sh").chmod(0o755)
    write_holed(top / "game" / "beginning.bin", {5 * MIB: b"end"}, 5 * MIB + 3)
    write_holed(top / "game" / "middle.bin", {0: b"a" * 5000, MIB: b"b" * 4096}, MIB + 4096)
    write_holed(top / "game" / "end.bin", {MIB: b"c" * 5000}, 4 * MIB)
    write_holed(top / "game" / "empty.bin", {}, 3 * MIB + 1)
    write_holed(top / "game" / "many.bin", {number * 131_072: b"d" * 100 for number in range(90)}, 90 * 131_072)
    os.link(top / "game" / "end.bin", top / "game" / "linked.bin")
    sparse = [path.name for path in (top / "game").iterdir() if path.stat().st_blocks * 512 < path.stat().st_size]
    assert len(sparse) == 6, "this file system keeps no holes"
    return root


def write_holed(path: Path, parts: dict[int, bytes], size: int) -> None:
    with path.open("wb") as written:
        for offset, content in parts.items():
            written.seek(offset)
            written.write(content)
        written.truncate(size)


@pytest.mark.parametrize("form", FORMS)
def test_a_game_with_holes_is_unpacked_as_it_was(holed: Path, tmp_path: Path, form: str) -> None:
    data = FORMS[form](holed)
    inspection = unpack(io.BytesIO(data), tmp_path, ArchiveLimits(), "start.sh")
    files = [path for path in holed.rglob("*") if path.is_file()]
    for path in files:
        unpacked = tmp_path / path.relative_to(holed)
        assert unpacked.read_bytes() == path.read_bytes()
        assert unpacked.stat().st_mtime_ns // 10**9 == path.stat().st_mtime_ns // 10**9
        assert unpacked.stat().st_blocks <= path.stat().st_blocks + 16  # the holes are holes
    assert (tmp_path / "mygame/game/linked.bin").samefile(tmp_path / "mygame/game/end.bin")
    once = [path for path in files if path.name != "linked.bin"]
    assert inspection.unpacked_bytes == sum(path.stat().st_size for path in once)
    assert inspect(data) == inspection
    # The form was used: otherwise the tar would be as large as the files.
    tar = subprocess.run(["gzip", "-dc"], input=data, capture_output=True, check=False).stdout
    assert len(tar) < inspection.unpacked_bytes / 4


@pytest.mark.parametrize("form", FORMS)
def test_pieces_of_any_size_give_the_same_answer(holed: Path, form: str) -> None:
    data = FORMS[form](holed)
    for size in (1, 700, 5000):
        assert inspect_pieces(data[at : at + size] for at in range(0, len(data), size)) == inspect(data)


@pytest.mark.parametrize("version", ["0.0", "0.1"])
def test_older_forms_of_gnu_tar_are_refused_with_its_option(holed: Path, version: str) -> None:
    rejection = assert_refused(
        gnu_tar(holed, "--sort=name", "--posix", "-S", f"--sparse-version={version}"),
        member="mygame/game/beginning.bin",
        problem="is stored as a sparse file in a form that is not accepted",
        remedy="without --sparse (-S)",
    )
    assert "bsdtar" not in rejection.remedy


def test_the_option_that_bsdtar_is_advised_to_use_stores_whole_files(holed: Path) -> None:
    assert inspect(bsdtar(holed, "--no-read-sparse")) == inspect(bsdtar(holed))


def records(real_size: int | str, name: str = "mygame/holes", **more: str) -> bytes:
    given: dict[str, str | bytes] = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": name}
    return pax({**given, "GNU.sparse.realsize": str(real_size), **more})


def pax_sparse(real_size: int, *extents: tuple[int, int], text: bytes | None = None, content: bytes = b"") -> bytes:
    """A PAX 1.0 sparse member; `text` replaces its map, `content` that of its extents."""
    lines = [len(extents), *(number for extent in extents for number in extent)]
    made = padded(b"".join(b"%d\n" % number for number in lines) if text is None else text)
    stored = made + (content or b"x" * sum(length for _, length in extents))
    return records(real_size) + header(b"mygame/GNUSparseFile.0/holes", size=len(stored)) + padded(stored)


def gnu_sparse(real_size: int, *extents: tuple[int, int], stored: int | None = None, **more: bytes) -> bytes:
    """A sparse member of GNU tar's own form."""
    table = [field(number, 12) for extent in extents for number in extent]
    fields, rest = b"".join(table[:8]), table[8:]
    size = sum(length for _, length in extents) if stored is None else stored
    block = bytearray(header(b"mygame/holes", typeflag=b"S", size=size, magic=b"ustar  \0"))
    block[386 : 386 + len(fields)] = fields
    block[482] = bool(rest)
    block[483:495] = more.get("real_size", field(real_size, 12))
    blocks = bytearray()
    for start in range(0, len(rest), 42):
        blocks += b"".join(rest[start : start + 42]).ljust(504, b"\0") + bytes([start + 42 < len(rest)]) + bytes(7)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block + blocks) + padded(b"x" * size)


Sparse = Callable[..., bytes]
BOTH = pytest.mark.parametrize("sparse", [pax_sparse, gnu_sparse], ids=["PAX", "GNU"])


def unpacked(data: bytes, into: Path, limits: ArchiveLimits | None = None) -> bytes:
    unpack(io.BytesIO(data), into, limits or ArchiveLimits(), "start.sh")
    return (into / "mygame/holes").read_bytes()


@BOTH
@pytest.mark.parametrize("extents", [1, 4, 5, 25, 26, 200])
def test_holes_read_as_zeros(sparse: Sparse, extents: int, tmp_path: Path) -> None:
    data = game(sparse(extents * 2048, *((number * 2048, 512) for number in range(extents))), file("mygame/after"))
    assert unpacked(data, tmp_path) == (b"x" * 512 + bytes(1536)) * extents
    assert inspect_pieces(data[at : at + 100] for at in range(0, len(data), 100)) == inspect(data)


@BOTH
def test_a_map_with_its_end_as_an_empty_part_is_read(sparse: Sparse, tmp_path: Path) -> None:
    data = game(sparse(5000, (0, 0), (0, 512), (512, 0), (1024, 512), (5000, 0)))
    assert unpacked(data, tmp_path) == b"x" * 512 + bytes(512) + b"x" * 512 + bytes(5000 - 1536)


@BOTH
def test_a_file_that_is_one_hole_is_read(sparse: Sparse, tmp_path: Path) -> None:
    assert unpacked(game(sparse(5000), file("mygame/after")), tmp_path) == bytes(5000)


@BOTH
@pytest.mark.parametrize(
    ("extents", "problem"),
    [
        ([(0, 1024), (512, 512)], "has a map whose parts overlap or are not in order"),
        ([(2048, 512), (0, 512)], "has a map whose parts overlap or are not in order"),
        ([(0, 1024), (0, 0)], "has a map whose parts overlap or are not in order"),
        ([(7680, 1024)], "has a map that goes beyond its 8192 bytes"),
        ([(9000, 0)], "has a map that goes beyond its 8192 bytes"),
        ([(2**60, 2**60)], "has a map that goes beyond its 8192 bytes"),
        ([(0, 100), (1024, 512)], "has a map with a part that is not made of whole blocks of 512 bytes"),
    ],
)
def test_a_map_that_contradicts_itself_is_refused(sparse: Sparse, extents: list[tuple[int, int]], problem: str) -> None:
    more = {"content": b"x" * 1024} if sparse is pax_sparse else {"stored": 1024}
    assert_refused(
        game(sparse(8192, *extents, **more)),
        member="mygame/holes",
        problem=f"mygame/holes is stored as a sparse file and {problem}",
        remedy="without --sparse (-S)",
    )


@BOTH
@pytest.mark.parametrize("stored", [512, 1024, 2048])
def test_a_map_must_describe_what_is_stored(sparse: Sparse, stored: int) -> None:
    more = {"content": b"x" * stored} if sparse is pax_sparse else {"stored": stored}
    assert_refused(
        game(sparse(8192, (0, 1536), **more)),
        member="mygame/holes",
        problem=f"stores {stored} bytes, but its map describes 1536",
        remedy="without --sparse",
    )


@BOTH
def test_a_map_of_countless_parts_is_refused(sparse: Sparse) -> None:
    most = [(number * 2, 0) for number in range(MAX_EXTENTS)]
    assert inspect(game(sparse(2**21, *most))).unpacked_bytes == 2**21 + 10
    million = [(number, 0) for number in range(1_000_000)]
    assert_refused(
        game(sparse(2**21, *million)),
        member="mygame/holes",
        problem="has a map of ",
        remedy="without --sparse",
    )


@pytest.mark.parametrize("text", [b"x\n", b"1\n-1\n5\n", b"1\n\n", b"+1\n0\n0\n", b"9" * 600, b"1\n0\n" + b"1" * 21])
def test_a_map_of_anything_but_numbers_is_refused(text: bytes) -> None:
    assert_refused(
        game(pax_sparse(8192, text=text)), member="mygame/holes", problem="is not a number", remedy="without --sparse"
    )


@pytest.mark.parametrize(
    ("member", "problem"),
    [
        (pax_sparse(8192, text=b"0\nx"), "has a map with data after its end"),
        (pax_sparse(8192, text=b"0\n7\n"), "has a map with data after its end"),
        (pax_sparse(8192, text=b"1\n0\n"), "a map in which"),
        (pax_sparse(8192, text=b"70000\n"), "has a map of 70000 parts; 65536 are allowed"),
        (pax_sparse(8192, text=b"1000\n" + b"0\n0\n" * 126), "ends inside its map"),
        (records(8192) + header(b"mygame/x", size=0), "ends inside its map"),
    ],
    ids=["text behind", "number behind", "short", "announced", "cut off", "no map"],
)
def test_a_map_is_whole_and_alone(member: bytes, problem: str) -> None:
    assert_refused(game(member), member="mygame/holes", problem=problem, remedy="without --sparse")


def test_an_old_gnu_map_ends_where_gnu_tar_ends_it() -> None:
    gap = bytearray(gnu_sparse(8192, (0, 512), (1024, 512), (2048, 512)))
    gap[386 + 12 + 24 : 386 + 24 + 24] = bytes(12)  # the second length
    gap[148:156] = b" " * 8
    gap[148:156] = b"%06o\0 " % sum(gap[:512])
    assert_refused(game(bytes(gap)), member="mygame/holes", problem="data after its end", remedy="--sparse")
    more = bytearray(gnu_sparse(8192, (0, 512)))
    more[482] = 1
    more[148:156] = b" " * 8
    more[148:156] = b"%06o\0 " % sum(more[:512])
    assert_refused(game(bytes(more)), member="mygame/holes", problem="data after its end", remedy="--sparse")


@pytest.mark.parametrize(
    ("member", "problem"),
    [
        (records(8192) + gnu_sparse(8192, (0, 512)), "in a form that is not accepted"),
        (records(8192) + header(b"x", typeflag=b"5"), "is a directory or link that is stored as a sparse file"),
        (records(8192) + header(b"x", typeflag=b"1", link=b"mygame/start.sh"), "is a directory or link"),
        (records(8192) + header(b"x", typeflag=b"2", link=b"start.sh"), "is a directory or link"),
        (records("-1") + header(b"x", size=512), "is not a number"),
        (records(8192, path="mygame/other", **{"GNU.sparse.size": "8192"}) + header(b"x"), "in a form that is not"),
    ],
    ids=["two forms", "directory", "hard link", "symlink", "negative", "two versions"],
)
def test_only_a_file_is_sparse_and_in_one_form(member: bytes, problem: str) -> None:
    assert_refused(game(member), member="mygame/holes", problem=problem, remedy="")


def test_the_real_name_is_the_one_that_counts() -> None:
    member = records(0, name="/etc/passwd") + header(b"mygame/x", size=512) + padded(b"0\n")
    assert_refused(game(member), member="/etc/passwd", problem="is an absolute path", remedy="relative name")


@BOTH
def test_holes_count_as_unpacked_bytes(sparse: Sparse) -> None:
    tebibyte = game(sparse(2**40, (0, 512)))
    rejection = assert_refused(
        tebibyte, member="mygame/holes", problem="With mygame/holes the archive unpacks to more than", remedy="operator"
    )
    assert str(ArchiveLimits().unpacked_bytes) in rejection.problem
    two = game(sparse(3 * MIB, (0, 512)), file("mygame/more", bytes(2 * MIB)))
    assert inspect(two, limits=ArchiveLimits(unpacked_bytes=6 * MIB)).unpacked_bytes == 5 * MIB + 10
    assert_refused(
        two, limits=ArchiveLimits(unpacked_bytes=4 * MIB), member="mygame/more", problem="unpacks to", remedy="operator"
    )
    last = gz(GAME + sparse(3 * MIB, (0, 512)) + END + bytes(2 * MIB))
    assert_refused(last, limits=ArchiveLimits(unpacked_bytes=4 * MIB), problem="unpacks to more", remedy="operator")


@BOTH
def test_holes_count_in_the_ratio_of_the_whole_archive(sparse: Sparse) -> None:
    """Wherever the file stands, and only once everything has been read."""
    hole, noise = sparse(80 * MIB, (0, 512)), file("mygame/noise", os.urandom(MIB))
    for members in ((hole, noise), (noise, hole)):
        assert inspect(game(*members)).unpacked_bytes == 81 * MIB + 10
    assert_refused(game(hole), problem="unpacks to more than 200 times its size", remedy="padding")


def test_a_content_cut_off_inside_a_map_is_named() -> None:
    cut = GAME + gnu_sparse(2**20, *((number * 1024, 512) for number in range(60)))[:700]
    assert_refused(gz(cut), member="mygame/holes", problem="The tar ends inside mygame/holes", remedy="tar tzf")
