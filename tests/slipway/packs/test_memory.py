"""Memory does not grow with the size of a build: peaks of child processes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.slipway.packs.trees import noise

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SIZE = 160  # MiB

PEAK = """
def peak():
    lines = Path('/proc/self/status').read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith('VmHWM')) / 1024
"""
WRITING = (
    """
import sys
from pathlib import Path
from slipway.packs.making.build_writing import OlderBuild, write_build
from slipway.packs.chunk_content import LocalContent
from slipway.packs.format.chunk_places import ChunkPlaces
"""
    + PEAK
    + """
folder = Path(sys.argv[1])
with (folder / 'pack1').open('wb') as sink:
    first = write_build(folder / 'tree1', sink, build=1)
with LocalContent(folder / 'tree1', first.index, ChunkPlaces(first.index)) as content:
    with (folder / 'pack2').open('wb') as sink:
        second = write_build(folder / 'tree2', sink, build=2, older=OlderBuild(first.index, first.encoded, content))
(folder / 'index1').write_bytes(first.encoded)
(folder / 'index2').write_bytes(second.encoded)
(folder / 'patch').write_bytes(second.patch)
print(peak())
"""
)
MANY_CHUNKS = (
    """
import sys
from pathlib import Path
from slipway.packs.chunk_content import LocalContent
from slipway.packs.format.chunk_places import ChunkPlaces
from slipway.packs.format.index_decoding import decode_index
from slipway.packs.format.pack_format import RULES, CuttingRules
from slipway.packs.making.build_writing import OlderBuild, write_build
"""
    + PEAK
    + """
class Nowhere:
    def write(self, content):
        return len(content)
folder, rules = Path(sys.argv[1]), sys.argv[2]
rules = CuttingRules(256, 1024, 4096, 1, 256, 256, 1024, 4096) if rules == 'small' else RULES
name = f'index.{rules.average_bytes}'
if sys.argv[3] == 'first':
    written = write_build(folder / 'one', Nowhere(), build=1, rules=rules, work=folder)
    (folder / name).write_bytes(written.encoded)
    assert (written.index.chunk_count > 80_000) is (rules is not RULES), written.index.chunk_count
else:
    contents = []
    def older():
        encoded = (folder / name).read_bytes()
        index = decode_index(encoded)
        contents.append(LocalContent(folder / 'one', index, ChunkPlaces(index)))
        return OlderBuild(index, encoded, contents[0])
    written = write_build(folder / 'two', Nowhere(), build=2, read_older=older, rules=rules, work=folder)
    contents[0].close()
    assert len(written.delta) < 2000, len(written.delta)
print(peak())
"""
)
APPLYING = (
    """
import hashlib, sys
from pathlib import Path
from slipway.packs.applying import PatchObject, apply
from slipway.packs.format.index_decoding import decode_index
from slipway.packs.local_reuse import LocalBuild
from slipway.packs.format.patch_format import decode_patch
from slipway.packs.range_sources import FileSource
"""
    + PEAK
    + """
folder = Path(sys.argv[1])
encoded = [(folder / name).read_bytes() for name in ('index1', 'index2')]
indexes = [decode_index(one) for one in encoded]
hashes = [hashlib.sha256(one).hexdigest() for one in encoded]
patch = (folder / 'patch').read_bytes()
table = decode_patch(patch, indexes[0], hashes[0], indexes[1], hashes[1])
for name in ('one', 'two'):
    (folder / name).mkdir()
apply(indexes[0], folder / 'one', FileSource(folder / 'pack1'))
old = LocalBuild(folder / 'one', indexes[0])
applied = apply(
    indexes[1], folder / 'two', FileSource(folder / 'pack2'), old=old, patch=PatchObject(table, patch)
)
assert applied.patched > 2**24, applied
print(peak())
"""
)


def measured(program: str, folder: Path, *arguments: str) -> float:
    """The peak RSS in MiB that the program prints."""
    command = [sys.executable, "-c", program, str(folder), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=True)
    return float(done.stdout)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two versions of a build: one large file of SIZE, many small ones, and a binary with edits everywhere."""
    (tmp_path / "tree1/mygame/small").mkdir(parents=True)
    with (tmp_path / "tree1/mygame/large.rpa").open("wb") as file, Path("/dev/urandom").open("rb") as chance:
        for _ in range(SIZE):
            file.write(chance.read(2**20))
    for number in range(2000):
        (tmp_path / f"tree1/mygame/small/{number}").write_text(f"{number}\n" * 300)
    binary = noise(20 * 2**20)
    (tmp_path / "tree1/mygame/runtime.so").write_bytes(binary)
    shutil.copytree(tmp_path / "tree1", tmp_path / "tree2")
    edited = b"".join(binary[at : at + 9000] + b"edit" for at in range(0, len(binary), 9004))
    (tmp_path / "tree2/mygame/runtime.so").write_bytes(edited)
    return tmp_path


def test_writing_and_applying_stay_within_their_bounds(folder: Path) -> None:
    assert measured(WRITING, folder) < 330
    assert measured(APPLYING, folder) < 150


def test_memory_is_the_same_for_few_and_for_many_chunks(tmp_path: Path) -> None:
    """350 and 88,000 chunks, as many as a build of 12 GiB has. The same file is cut into both."""
    for name in ("one", "two"):
        (tmp_path / name / "mygame").mkdir(parents=True)
    large = tmp_path / "one/mygame/images.rpa"
    with large.open("wb") as file, Path("/dev/urandom").open("rb") as chance:
        for _ in range(105):
            file.write(chance.read(2**20))
    (tmp_path / "two/mygame/images.rpa").hardlink_to(large)
    (tmp_path / "two/mygame/script.rpy").write_text("label start:\n")

    for build, growth in (("first", 5), ("update", 10)):  # an update has the older build's table in memory too
        few, many = (measured(MANY_CHUNKS, tmp_path, size, build) for size in ("usual", "small"))
        print(f"{build}: peaks {few:.1f} and {many:.1f} MiB")  # noqa: T201 - for the log of a failed run
        assert many - few < growth
        assert many < 80
