"""Whatever comes: an archive is accepted or ArchiveRejected, and nothing lands outside of the directory."""

import errno
import io
import os
import tempfile
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.archive_rejected import ArchiveRejected
from slipway.archive.inspection import Inspection
from slipway.archive.unpacking import unpack
from tests.slipway.archive.tar_writer import (
    BLOCK,
    END,
    GAME,
    file,
    game,
    gnu_long_link,
    gnu_long_name,
    gz,
    header,
    padded,
    pax,
)

pytestmark = pytest.mark.slow
T = TypeVar("T")

LIMITS = ArchiveLimits(unpacked_bytes=2**22, members=60, processing_seconds=20)


def unpack_boxed(data: bytes) -> Inspection | None:
    """Unpack inside a box whose other contents must not change; None when it was refused."""
    with tempfile.TemporaryDirectory(prefix="archive-fuzz-") as name:
        box = Path(name).resolve()
        (box / "precious").write_bytes(b"precious")
        into = box / "into"
        into.mkdir()
        try:
            inspection = unpack(io.BytesIO(data), into, LIMITS, None)
        except ArchiveRejected:
            inspection = None
        assert sorted(os.listdir(box)) == ["into", "precious"]  # noqa: PTH208 - names are all we want
        assert (box / "precious").read_bytes() == b"precious"
        assert (box / "precious").stat().st_nlink == 1
        # Refused or not: no link that was made leads out of the directory that was unpacked.
        for path in into.rglob("*"):
            if path.is_symlink() and not loops(path):
                reached = Path(os.path.realpath(path))
                assert reached.is_relative_to(into / path.relative_to(into).parts[0]), path
        return inspection


def loops(path: Path) -> bool:
    try:
        path.stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


def mostly(usual: st.SearchStrategy[T], odd: st.SearchStrategy[T]) -> st.SearchStrategy[T]:
    """Odd one time in ten: most sequences should get past the first rules and meet the later ones."""
    return st.integers(0, 9).flatmap(lambda dice: odd if dice == 9 else usual)


SEGMENTS = mostly(
    st.sampled_from(["a", "b", "c", "d", "e", "A", "game"]),
    st.sampled_from([".", "..", "", "é", "e\u0301", "x.sh", "._a", "n" * 90, "mygame"]),
)
NAMES = st.builds(
    lambda top, rest: "/".join([top, *rest]),
    mostly(st.just("mygame"), st.sampled_from(["./mygame", "", "..", "other", "."])),
    st.lists(SEGMENTS, min_size=1, max_size=4),
)
TARGETS = st.builds(
    lambda up, down: "/".join([*up, *down]),
    st.lists(st.just(".."), max_size=3),
    st.lists(mostly(st.sampled_from(["a", "b", "c", "game"]), st.sampled_from(["..", ".", "", "mygame"])), max_size=3),
)
LINKED = st.sampled_from(["mygame/start.sh", "mygame/a", "mygame/b", "mygame/a/b"])
PREFIXES = mostly(
    st.just(b""),
    st.one_of(
        st.builds(gnu_long_name, NAMES),
        st.builds(gnu_long_link, TARGETS),
        st.builds(lambda name: pax({"path": name}), NAMES),
        st.builds(lambda target: pax({"linkpath": target}), TARGETS),
        st.builds(lambda name: pax({"path": name}, typeflag=b"g"), NAMES),
        st.builds(lambda size: pax({"size": str(size)}), st.integers(0, 2000)),
    ),
)


@st.composite
def members(draw: st.DrawFn) -> bytes:
    name = draw(NAMES).encode()[:100]
    typeflag = draw(st.sampled_from([b"0", b"0", b"0", b"5", b"5", b"1", b"1", b"2", b"2", b"2", b"\0"]))
    link = draw({b"1": mostly(LINKED, NAMES), b"2": mostly(TARGETS, NAMES)}.get(typeflag, st.just(""))).encode()[:100]
    content = draw(st.sampled_from([b"", b"x", bytes(700)])) if typeflag in (b"0", b"\0") else b""
    mode = draw(st.sampled_from([0o644, 0o755, 0o755, 0o000]))
    own = header(name, typeflag=typeflag, link=link, size=len(content), mode=mode)
    prefix: bytes = draw(PREFIXES)
    return prefix + own + padded(content)


def symlink(name: bytes, target: bytes) -> bytes:
    return header(name, typeflag=b"2", link=target)


@settings(max_examples=100, deadline=None)
@given(made=st.lists(members(), max_size=8), end=st.sampled_from([END, END, END, END, b"", bytes(BLOCK)]))
@example(
    made=[symlink(b"mygame/a/b/c", b"../.."), symlink(b"mygame/a/b/out", b"c/.."), file("mygame/a/b/out/x")], end=END
)
@example(made=[symlink(b"mygame/a", b"."), header(b"mygame/b/h", typeflag=b"1", link=b"mygame/a")], end=END)
def test_no_sequence_of_members_gets_out(made: list[bytes], end: bytes) -> None:
    unpack_boxed(gz(GAME + b"".join(made) + end))


GOOD = (
    GAME
    + file("mygame/game/script.rpy", b"label start:\n" * 50)
    + gnu_long_name("mygame/game/" + "n" * 150)
    + file("cut", b"content")
    + pax({"path": "mygame/lib/é", "size": "7"})
    + header(b"x", size=7)
    + padded(b"content")
    + symlink(b"mygame/lib/run", b"../start.sh")
    + header(b"mygame/again", typeflag=b"1", link=b"mygame/start.sh", mode=0o755)
    + END
)
CORRUPTIONS = st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=6)


def with_checksums(tar: bytearray) -> bytes:
    """Make every block that looks like a header pass for one, so that corruption gets past the checksum."""
    for start in range(0, len(tar) - BLOCK + 1, BLOCK):
        block = tar[start : start + BLOCK]
        if block[257:262] == b"ustar":
            block[148:156] = b" " * 8
            tar[start + 148 : start + 156] = b"%06o\0 " % sum(block)
    return bytes(tar)


@settings(max_examples=120, deadline=None)
@given(corruptions=CORRUPTIONS, repaired=st.booleans())
def test_a_corrupted_tar_is_refused_or_harmless(corruptions: list[tuple[int, int]], repaired: bool) -> None:
    tar = bytearray(GOOD)
    for position, value in corruptions:
        tar[position] = value
    unpack_boxed(gz(with_checksums(tar) if repaired else bytes(tar)))


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_corrupted_gzip_stream_is_refused_or_harmless(data: st.DataObject) -> None:
    packed = bytearray(gz(GOOD))
    for position, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(packed) - 1), st.integers(0, 255)), min_size=1, max_size=4)
    ):
        packed[position] = value
    cut = data.draw(st.one_of(st.just(len(packed)), st.integers(0, len(packed))))
    unpack_boxed(bytes(packed[:cut]))


@settings(max_examples=50, deadline=None)
@given(noise=st.binary(max_size=3000))
def test_noise_is_refused(noise: bytes) -> None:
    assert unpack_boxed(noise) is None
    assert unpack_boxed(gz(noise)) is None


def test_what_is_corrupted_here_was_good() -> None:
    assert unpack_boxed(gz(GOOD)) is not None
    assert unpack_boxed(game()) is not None
