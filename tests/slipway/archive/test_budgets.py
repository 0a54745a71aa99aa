"""What an archive may ask of whoever reads it, checked while it streams."""

import subprocess
import sys
import time
import zlib
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random

import pytest
from isal import isal_zlib

from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.archive_rejected import ArchiveRejected
from slipway.archive.inspection import Inspector
from tests.slipway.archive.inspect_archive import assert_refused, inspect
from tests.slipway.archive.tar_writer import END, GAME, directory, file, game, gz, header, pax

MIB = 2**20


@cache
def bomb(gibibytes: int = 1) -> bytes:
    """A valid tar.gz of about 1 MB a GiB: one file of zeros, made by repeating one deflate block."""
    size = gibibytes * 2**30
    start = GAME + header(b"mygame/zeros", size=size)
    block = bytes(16 * MIB)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = deflate.compress(start) + deflate.flush(zlib.Z_FULL_FLUSH)
    zeros = deflate.compress(block) + deflate.flush(zlib.Z_FULL_FLUSH)
    repeats = size // len(block)
    crc = zlib.crc32(start)
    block_crc = zlib.crc32(block)
    for _ in range(repeats):
        crc = isal_zlib.crc32_combine(crc, block_crc, len(block))
    tail = deflate.compress(END) + deflate.flush()
    crc = zlib.crc32(END, crc)
    length = (len(start) + size + len(END)) % 2**32
    gzip_header = b"\x1f\x8b\x08\0\0\0\0\0\0\x03"
    return gzip_header + head + zeros * repeats + tail + crc.to_bytes(4, "little") + length.to_bytes(4, "little")


def test_a_ratio_beyond_the_limit_is_refused_after_the_grace_amount() -> None:
    assert_refused(
        bomb(),
        problem="The archive unpacks to more than 200 times its size",
        remedy="Remove files that contain nothing",
    )
    zeros = game(file("mygame/zeros", bytes(8 * MIB)))
    assert inspect(zeros).members == 4
    assert_refused(zeros, limits=ArchiveLimits(ratio_grace_bytes=4 * MIB), problem="200 times", remedy="Remove files")


def test_the_ratio_is_that_of_the_complete_archive_if_its_size_is_known() -> None:
    padding, noise = file("mygame/zeros", bytes(80 * MIB)), file("mygame/noise", Random(1).randbytes(MIB))
    for members in ((padding, noise), (noise, padding)):
        archive = game(*members)
        assert inspect(archive, limits=ArchiveLimits(archive_bytes=len(archive))).members == 5
    assert_refused(game(padding, noise), problem="200 times its size", remedy="Remove files")  # as far as it was read


def test_a_bomb_of_a_known_size_is_refused_before_its_end() -> None:
    inspector = Inspector(ArchiveLimits(archive_bytes=len(bomb())), None)
    with pytest.raises(ArchiveRejected, match=rf"200 times its size \(\d+ bytes from {len(bomb())}\)"):
        inspector.feed(bomb()[: len(bomb()) // 2])
    assert inspector.unpacked_bytes < 250 * MIB


def test_a_size_that_was_only_announced_excuses_no_bomb() -> None:
    """The other limits hold while it streams, and the ratio at its end."""
    announced = ArchiveLimits(archive_bytes=20 * 2**30)
    assert_refused(bomb(), limits=announced, problem="200 times its size", remedy="Remove files")
    small = replace(announced, unpacked_bytes=2**28)
    assert_refused(bomb(), limits=small, member="mygame/zeros", problem="unpacks to more than", remedy="higher limit")


def test_a_declared_size_beyond_the_limit_is_refused_before_its_content() -> None:
    begun = gz(GAME + header(b"mygame/huge.rpa", size=100 * 2**30) + Random(1).randbytes(300_000))
    inspector = Inspector(ArchiveLimits(), None)
    with pytest.raises(ArchiveRejected) as caught:
        inspector.feed(begun)
    assert caught.value.member == "mygame/huge.rpa"
    assert f"With mygame/huge.rpa the archive unpacks to more than {100 * 2**30} bytes" in str(caught.value)
    assert "ask the operator for a higher limit" in str(caught.value)


def test_a_pax_size_counts_against_the_limit() -> None:
    assert_refused(
        game(pax({"size": "99999999999999999999"}), file("mygame/huge.rpa")),
        member="mygame/huge.rpa",
        problem="With mygame/huge.rpa the archive unpacks to more than",
        remedy="higher limit",
    )


def test_the_limit_of_unpacked_bytes_is_inclusive_and_counts_everything() -> None:
    tar = GAME + file("mygame/a", bytes(2 * MIB)) + END
    assert inspect(gz(tar), limits=ArchiveLimits(unpacked_bytes=len(tar))).members == 4
    assert_refused(
        gz(tar),
        limits=ArchiveLimits(unpacked_bytes=len(tar) - 1),
        problem=f"The archive unpacks to more than {len(tar) - 1} bytes",
        remedy="Remove files that the game does not need",
    )


def test_padding_behind_the_end_counts_as_unpacked() -> None:
    assert_refused(
        gz(GAME + END + bytes(2 * MIB)),
        limits=ArchiveLimits(unpacked_bytes=MIB),
        problem=f"The archive unpacks to more than {MIB} bytes",
        remedy="Remove files",
    )


def test_the_number_of_members_is_limited() -> None:
    limits = ArchiveLimits(members=5)
    assert inspect(game(file("mygame/a"), file("mygame/b")), limits=limits).members == 5
    assert_refused(
        game(file("mygame/a"), file("mygame/b"), file("mygame/c")),
        limits=limits,
        member="mygame/c",
        problem="mygame/c is one member more than the limit of 5",
        remedy="Pack small files together",
    )


def test_implied_directories_count_as_members() -> None:
    assert_refused(
        game(file("mygame/a/b/c/d")),
        limits=ArchiveLimits(members=5),
        member="mygame/a/b/c/d",
        problem="more than the limit of 5",
        remedy="Pack small files together",
    )


def test_repeating_the_place_of_unpacking_counts_too() -> None:
    assert_refused(
        game(*[directory("./")] * 3),
        limits=ArchiveLimits(members=5),
        member="./",
        problem="more than the limit of 5",
        remedy="Pack small files together",
    )


def test_processing_time_is_limited() -> None:
    assert_refused(
        bomb(),
        limits=ArchiveLimits(ratio=10_000, processing_seconds=0.01),
        problem="took more than 0.01 s of CPU time",
        remedy="Pack small files together",
    )


@pytest.mark.parametrize("what", ["empty blocks", "a file name"])
def test_processing_time_is_limited_where_nothing_comes_out(what: str) -> None:
    """Empty deflate blocks, and a name in the gzip header that never ends, give not a byte to count."""
    inspector = Inspector(ArchiveLimits(processing_seconds=0.05), None)
    endless = b"\0\0\0\xff\xff" * 2**18 if what == "empty blocks" else b"n" * 2**20
    inspector.feed(b"\x1f\x8b\x08" + (b"\0" if what == "empty blocks" else b"\x08") + b"\0\0\0\0\0\x03")
    with pytest.raises(ArchiveRejected, match=r"took more than 0\.05 s of CPU time"):
        feed_again_and_again(inspector, endless)


def feed_again_and_again(inspector: Inspector, piece: bytes) -> None:
    for _ in range(20_000):
        inspector.feed(piece)


def test_time_between_the_pieces_is_not_the_archives() -> None:
    inspector = Inspector(ArchiveLimits(processing_seconds=0.2), None)
    data = game(file("mygame/a", bytes(range(256)) * 400))
    half = len(data) // 2
    inspector.feed(data[:half])
    began = time.thread_time()
    while time.thread_time() - began < 0.3:
        pass
    inspector.feed(data[half:])
    assert inspector.finish().members == 4


def test_progress_can_be_read_while_feeding() -> None:
    compressed = gz(GAME + file("mygame/a", Random(1).randbytes(2_048_000)) + END)
    inspector = Inspector(ArchiveLimits(), None)
    inspector.feed(compressed[: len(compressed) // 2])
    assert inspector.members_read == 4
    assert 0 < inspector.unpacked_bytes < 2_048_000
    inspector.feed(compressed[len(compressed) // 2 :])
    assert inspector.finish().unpacked_bytes == 2_048_000 + 10 == inspector.unpacked_bytes


CHILD = """
import sys
from functools import cache
from pathlib import Path
from slipway.archive.inspection import Inspector
from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.archive_rejected import ArchiveRejected

def peak_kib():
    # VmHWM, because ru_maxrss starts at the peak of the process that started this one.
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))

data = Path(sys.argv[1]).read_bytes()
before = peak_kib()
inspector = Inspector(ArchiveLimits(**eval(sys.argv[2])), "start.sh")
try:
    inspector.feed(data)
    print(inspector.finish().members)
except ArchiveRejected as rejection:
    print(rejection.problem)
print((peak_kib() - before) * 1024)
"""


def inspect_in_a_child(data: bytes, folder: Path, **limits: int) -> tuple[str, int]:
    """The verdict, and by how many bytes the peak memory of a fresh process grew."""
    path = folder / "game.tar.gz"
    path.write_bytes(data)
    run = [sys.executable, "-c", CHILD, str(path), repr(limits)]
    lines = subprocess.run(run, check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()
    return lines[0], int(lines[1])


@pytest.mark.parametrize(
    ("limits", "verdict"),
    [
        ({}, "more than 200 times its size"),
        ({"ratio": 10_000, "unpacked_bytes": 2**29 + 2**28}, "more than 805306368 bytes"),
    ],
    ids=["ratio", "unpacked bytes"],
)
def test_a_bomb_stops_at_the_budget_in_constant_memory(tmp_path: Path, limits: dict[str, int], verdict: str) -> None:
    problem, grown = inspect_in_a_child(bomb(2), tmp_path, **limits)
    assert verdict in problem
    assert grown < 8 * MIB


def test_without_its_budget_the_bomb_is_a_good_archive_read_in_constant_memory(tmp_path: Path) -> None:
    assert len(bomb()) < 1.1e6
    members, grown = inspect_in_a_child(bomb(), tmp_path, ratio=10_000)
    assert members == "4"
    assert grown < 8 * MIB


@pytest.mark.slow
def test_half_a_million_names_would_fit_in_100_mib(tmp_path: Path) -> None:
    count = 500_000 // 8  # dicts grow by doubling: an eighth is at the same point between two steps
    compressor = isal_zlib.compressobj(1, wbits=31)
    # Upper case, because such a name is remembered twice.
    names = (header(f"mygame/D{number // 500}/File{number}".encode()) for number in range(count))
    pieces = [compressor.compress(GAME), *map(compressor.compress, names), compressor.compress(END), compressor.flush()]
    members, grown = inspect_in_a_child(b"".join(pieces), tmp_path)
    assert members == str(count + 3)
    assert grown < 100 * MIB * count / 500_000


def test_a_refusal_says_where_the_budget_was_met() -> None:
    with pytest.raises(ArchiveRejected, match=r"200 times its size \(\d+ bytes from \d+\)"):
        inspect(bomb())
