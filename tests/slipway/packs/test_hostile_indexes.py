"""An index is trusted no more than an archive: whatever it says, it is refused before anything is written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.archive.archive_limits import ArchiveLimits
from slipway.packs.format.index_decoding import decode_game_index, decode_index
from slipway.packs.format.index_encoding import append_number, append_signed, encode_index
from slipway.packs.format.index_transfer import IndexReference, compress_index, decompress_index, reference_to
from slipway.packs.format.refusals import IndexRefused, PackRefused
from tests.conftest import ROOT
from tests.slipway.packs.builds import make_build
from tests.slipway.packs.hostile import DIRECTORY, FILE, HARD_LINK, PROGRAM, SYMLINK, RawIndex
from tests.slipway.packs.trees import Tree, noise

GOOD = RawIndex()
CHUNK = GOOD.chunks[0]


def refused(raw: RawIndex | bytes, limits: ArchiveLimits | None = None) -> str:
    with pytest.raises(IndexRefused) as caught:
        decode_index(raw if isinstance(raw, bytes) else raw.encoded(), limits)
    return str(caught.value)


def test_the_index_that_the_others_are_made_from_is_good() -> None:
    index = decode_index(GOOD.encoded())

    assert [index.path(entry) for entry in range(index.entry_count)] == ["mygame", "mygame/a"]
    assert encode_index(index) == GOOD.encoded()


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ((FILE, b"mygame/../../etc/passwd"), '".." in its path'),
        ((FILE, b"/etc/passwd"), "is an absolute path"),
        ((FILE, b"mygame/b\\c"), "backslash"),
        ((FILE, b"mygame/b\x00c"), "invisible character (U+0000)"),
        ((FILE, b"mygame/\xff"), "is not UTF-8"),
        ((FILE, b"mygame/" + b"n" * 256), "256 bytes"),
        ((FILE, b"mygame//b"), "is not a clean path"),
        ((FILE, b"mygame/./b"), "is not a clean path"),
        ((FILE, b""), "empty name"),
        ((DIRECTORY, b"./"), "is not a clean path"),
        ((FILE, b"mygame/a"), "is stored twice"),
        ((FILE, b"mygame/b/c"), "has no entry for its directory"),
        ((FILE, b"mygame/a/b"), "is inside mygame/a, which is a file"),
        ((FILE, b"mygame/0"), "is not in order"),
        ((FILE, b"other/a"), "exactly one top directory"),
        ((FILE, b"mygame/._b"), "macOS metadata"),
        ((SYMLINK, b"mygame/b", b"../../outside"), "outside the archive"),
        ((SYMLINK, b"mygame/b", b"/etc"), "absolute path"),
        ((SYMLINK, b"mygame/b", b""), "has an empty target"),
        ((SYMLINK, b"mygame/b", b"a/../../.."), "outside the archive"),
        ((HARD_LINK, b"mygame/b", b"mygame/missing"), "is not in the archive before it"),
        ((HARD_LINK, b"mygame/b", b"mygame/b"), "is not in the archive before it"),
        ((HARD_LINK, b"mygame/b", b"../../etc/passwd"), '".." in its path'),
        ((HARD_LINK, b"mygame/b", b"mygame//a"), "not a clean path"),
        ((HARD_LINK, b"mygame/b", b"mygame"), "is not a file"),
    ],
)
def test_paths_and_links_go_through_the_rules_of_archives(entry: tuple[int, bytes], problem: str) -> None:
    assert problem in refused(GOOD.with_entries(entry))


def test_nothing_is_written_through_a_link() -> None:
    raw = GOOD.with_entries((SYMLINK, b"mygame/b", b"."), (FILE, b"mygame/b/c"))

    assert "through the symbolic link mygame/b" in refused(raw)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "not the index of a pack"),
        (b"SlipwIdx", "not the index of a pack"),
        (GOOD.but(magic=b"SlipwPat"), "not the index of a pack"),
        (GOOD.but(version=2), "format 2"),
        (GOOD.but(hashing=9), "hash 9"),
        (GOOD.but(tail=b"x"), "Its counts need"),
        (GOOD.encoded()[:-1], "Its counts need"),
        (GOOD.but(counts=(2**32 - 1, 1, 1, 0, 14, 0, 3)), "Its counts need"),
        (GOOD.but(counts=(2, 1, 1, 0, 2**63, 0, 3)), "Its counts need"),
        (GOOD.but(counts=(2, 1, 1, 0, 13, 0, 4)), "Its names take"),
        (GOOD.but(entries=((DIRECTORY, b"mygame", b""), (9, b"mygame/a", b""))), "kind 9"),
        (GOOD.but(generations=((1, 2),)), "2 chunks, its table 1"),
        (GOOD.but(generations=((1, 1), (1, 0))), "newest to the oldest"),
        (GOOD.but(generations=((1, 1), (2, 1)), chunks=(CHUNK, CHUNK)), "newest to the oldest"),
        (GOOD.but(generations=tuple((9000 - n, 1) for n in range(4097)), chunks=(CHUNK,) * 4097), "4097 generations"),
        (GOOD.but(references=b"\x01\x00\x02"), "chunks 0 to 1 of 1"),
        (GOOD.but(references=b"\x01\x01\x01"), "chunks -1 to -1"),
        (GOOD.but(references=b"\x01\x00\x00"), "chunks 0 to -1"),
        (GOOD.but(references=b"\x00"), "No file has chunk 0"),
        (GOOD.but(references=b"\x01\x00\x01\x00"), "do not end with its last file"),
        (GOOD.but(references=b"\x01\x00"), "within a number"),
        (GOOD.but(references=b"\xff\xff\xff\xff\xff\xff\xff\x01"), "within a number"),
        (GOOD.but(chunks=((CHUNK[0], 0, 0),)), "no bytes"),
        (GOOD.but(chunks=((CHUNK[0], 2**20 + 1, 10),)), "more than the 1048576"),
        (GOOD.but(rules=(1, 1, 2**32 - 1, *GOOD.rules[3:]), chunks=((CHUNK[0], 2**23, 10),)), "more than the 4194304"),
        (GOOD.but(chunks=((CHUNK[0], 100, 0),)), "stored in 0"),
        (GOOD.but(chunks=((CHUNK[0], 100, 101),)), "stored in 101"),
    ],
)
def test_counts_and_sizes_are_checked(raw: RawIndex | bytes, problem: str) -> None:
    assert problem in refused(raw)


def test_an_index_that_repeats_a_chunk_without_end_is_refused() -> None:
    """A few bytes could stand for terabytes."""
    endless = bytearray()
    append_number(endless, 5000)
    for run in range(5000):
        append_signed(endless, -1000 if run else 0)
        append_number(endless, 1000)
    raw = GOOD.but(references=bytes(endless), chunks=(CHUNK,) * 1000, generations=((1, 1000),))

    assert "more than 4194304 chunks" in refused(raw)


def test_budgets_are_those_of_archives() -> None:
    assert "2 entries, 1 are allowed" in refused(GOOD, ArchiveLimits(members=1))
    assert "take 100 bytes, 99 are allowed" in refused(GOOD, ArchiveLimits(unpacked_bytes=99))


def test_a_game_has_to_be_packaged_as_one() -> None:
    with pytest.raises(IndexRefused, match="no game/ directory"):
        decode_game_index(GOOD.encoded(), ArchiveLimits(), None)
    whole = GOOD.with_entries((DIRECTORY, b"mygame/game"), (PROGRAM, b"mygame/start.sh"))

    _, top, launcher = decode_game_index(whole.encoded(), ArchiveLimits(), None)

    assert (top, launcher) == ("mygame", "start.sh")
    with pytest.raises(IndexRefused, match="is not executable"):
        decode_game_index(GOOD.with_entries((DIRECTORY, b"mygame/game")).encoded(), ArchiveLimits(), "a")


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_changed_index_is_refused_or_still_within_the_rules(data: st.DataObject) -> None:
    raw = GOOD.with_entries((SYMLINK, b"mygame/b", b"a"), (DIRECTORY, b"mygame/c"), (PROGRAM, b"mygame/c/d")).encoded()
    changed = bytearray(raw)
    places = st.tuples(st.integers(0, len(raw) - 1), st.integers(0, 255))
    for position, value in data.draw(st.lists(places, min_size=1, max_size=4)):
        changed[position] = value
    cut = data.draw(st.one_of(st.just(len(raw)), st.integers(0, len(raw))))
    try:
        index = decode_index(bytes(changed[:cut]))
    except IndexRefused:
        return
    assert encode_index(index) == bytes(changed[:cut])


# --- On its way.


def test_only_the_index_that_was_meant_is_taken(tmp_path: Path) -> None:
    written = make_build(tmp_path, Tree({"a": (noise(1000), False)})).written
    reference = written.reference
    other = bytearray(written.encoded)
    other[-1] ^= 1

    assert decompress_index(written.index_object, reference) == written.encoded
    for spoiled in (
        compress_index(bytes(other)),
        written.index_object[:-1],
        written.index_object + b"x",
        b"",
        b"nonsense",
        written.index_object[:20] + b"\x55" + written.index_object[21:],
    ):
        with pytest.raises(IndexRefused):
            decompress_index(spoiled, reference)


def test_a_delta_against_another_index_is_refused(tmp_path: Path) -> None:
    first = make_build(tmp_path, Tree({"a": (noise(400_000), False)}), 1)
    second = make_build(tmp_path, Tree({"a": (noise(400_000), True)}), 2, first)
    assert second.written.delta
    for older in (b"", first.written.encoded[::-1]):
        with pytest.raises(IndexRefused):
            decompress_index(second.written.delta, second.written.reference, older)


BOMBS = {
    # A frame of a few hundred kilobytes that unpacks to half a gigabyte, with and without saying so.
    "says its size": "c = zstandard.ZstdCompressor(level=3); o = c.compressobj(size=512 * 2**20)",
    "says no size": "c = zstandard.ZstdCompressor(level=3); o = c.compressobj()",
}


@pytest.mark.slow
@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
@pytest.mark.parametrize("claimed", [1000, 90 * 2**20, 512 * 2**20])
def test_a_decompression_bomb_is_refused_in_bounded_memory(tmp_path: Path, bomb: str, claimed: int) -> None:
    place = tmp_path / "bomb"
    make = (
        f"import sys, zstandard; {bomb}; f = open(sys.argv[1], 'wb')\n"
        "for _ in range(512): f.write(o.compress(bytes(2**20)))\n"
        "f.write(o.flush())"
    )
    subprocess.run([sys.executable, "-c", make, place], check=True, timeout=120)
    assert place.stat().st_size < 2**20
    grown = peak_growth(f"decompress_index(data, IndexReference('00' * 32, {claimed}))", place)

    assert grown < 20


@pytest.mark.slow
def test_a_hostile_index_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    """The largest that is looked at at all, with every count as high as it can be."""
    raws = {
        "paths": GOOD.with_entries(*((DIRECTORY, b"mygame/%08d" % number) for number in range(100_000))),
        "references": GOOD.but(references=b"\x80\x80\x80\x02" + b"\x00\x01" + b"\x01\x01" * 2**20),
        "chunks": GOOD.but(chunks=(CHUNK,) * 2**20, generations=((1, 2**20),)),
    }
    for name, raw in raws.items():
        place = tmp_path / name
        place.write_bytes(raw.but(references=b"\xff").encoded() if name == "paths" else raw.encoded())
        grown = peak_growth("decode_index(data)", place)
        assert grown < 200, name


def peak_growth(expression: str, place: Path) -> float:
    """MiB that a child's peak memory grows by over the data itself, while the expression is refused."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from slipway.packs.format.index_decoding import decode_index\n"
        "from slipway.packs.format.index_transfer import IndexReference, decompress_index\n"
        "from slipway.packs.format.refusals import PackRefused\n"
        "def peak():\n"
        "    lines = Path('/proc/self/status').read_text().splitlines()\n"
        "    return next(int(line.split()[1]) for line in lines if line.startswith('VmHWM'))\n"
        "data = Path(sys.argv[1]).read_bytes()\n"
        "before = peak()\n"
        f"try:\n    {expression}\nexcept PackRefused:\n    print((peak() - before) / 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, place], cwd=ROOT, capture_output=True, text=True, timeout=150, check=True
    )
    return float(done.stdout)


def test_refusals_are_one_family() -> None:
    assert issubclass(IndexRefused, PackRefused)
    assert reference_to(b"x") == IndexReference("2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881", 1)
