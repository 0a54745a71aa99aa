"""Whatever comes: an archive is accepted or ArchiveRejected, and nothing lands outside of the directory."""

import errno
import io
import os
import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from archive.inspection import Inspection
from archive.limits import Limits
from archive.rejection import ArchiveRejected
from archive.unpacking import unpack
from tests.archive.tars import BLOCK, END, GAME, file, game, gnu_long_link, gnu_long_name, gz, header, padded, pax

LIMITS = Limits(unpacked_bytes=2**22, members=60, processing_seconds=20)


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


SEGMENTS = st.sampled_from(
    ["mygame", "game", "a", "b", "A", "c", ".", "..", "", "é", "e\u0301", "x.sh", "._a", "n" * 90]
)
# Mostly below the game's folder, so that many members get past the first rule.
NAMES = st.builds(
    lambda top, rest: "/".join([top, *rest]),
    st.sampled_from(["mygame", "mygame", "mygame", "./mygame", "", "..", "other", "."]),
    st.lists(SEGMENTS, max_size=4),
)
TARGETS = st.lists(st.sampled_from(["..", "..", ".", "a", "b", "c", "mygame", "game", ""]), min_size=1, max_size=6).map(
    "/".join
)
PREFIXES = st.one_of(
    st.just(b""),
    st.just(b""),
    st.builds(gnu_long_name, NAMES),
    st.builds(gnu_long_link, TARGETS),
    st.builds(lambda name: pax({"path": name}), NAMES),
    st.builds(lambda target: pax({"linkpath": target}), TARGETS),
    st.builds(lambda name: pax({"path": name}, typeflag=b"g"), NAMES),
    st.builds(lambda size: pax({"size": str(size)}), st.integers(0, 2000)),
)


@st.composite
def members(draw: st.DrawFn) -> bytes:
    name = draw(NAMES).encode()[:100]
    typeflag = draw(st.sampled_from([b"0", b"0", b"5", b"5", b"1", b"2", b"2", b"2", b"3", b"\0"]))
    link = draw(st.one_of(TARGETS, NAMES)).encode()[:100] if typeflag in (b"1", b"2") else b""
    content = draw(st.sampled_from([b"", b"x", bytes(700)])) if typeflag in (b"0", b"\0") else b""
    mode = draw(st.sampled_from([0o644, 0o755, 0o755, 0o000]))
    own = header(name, typeflag=typeflag, link=link, size=len(content), mode=mode)
    prefix: bytes = draw(PREFIXES)
    return prefix + own + padded(content)


def symlink(name: bytes, target: bytes) -> bytes:
    return header(name, typeflag=b"2", link=target)


@settings(max_examples=150, deadline=None)
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
    + header(b"x")
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


@settings(max_examples=200, deadline=None)
@given(corruptions=CORRUPTIONS, repaired=st.booleans())
def test_a_corrupted_tar_is_refused_or_harmless(corruptions: list[tuple[int, int]], repaired: bool) -> None:
    tar = bytearray(GOOD)
    for position, value in corruptions:
        tar[position] = value
    unpack_boxed(gz(with_checksums(tar) if repaired else bytes(tar)))


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_corrupted_gzip_stream_is_refused_or_harmless(data: st.DataObject) -> None:
    packed = bytearray(gz(GOOD))
    for position, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(packed) - 1), st.integers(0, 255)), min_size=1, max_size=4)
    ):
        packed[position] = value
    cut = data.draw(st.one_of(st.just(len(packed)), st.integers(0, len(packed))))
    unpack_boxed(bytes(packed[:cut]))


@settings(max_examples=100, deadline=None)
@given(noise=st.binary(max_size=3000))
def test_noise_is_refused(noise: bytes) -> None:
    assert unpack_boxed(noise) is None
    assert unpack_boxed(gz(noise)) is None


def test_what_is_corrupted_here_was_good() -> None:
    assert unpack_boxed(gz(GOOD)) is not None
    assert unpack_boxed(game()) is not None
