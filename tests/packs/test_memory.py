"""Memory does not grow with the size of a build: peaks of child processes, at two sizes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.slow

PEAK = """
def peak():
    lines = Path('/proc/self/status').read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith('VmHWM')) / 1024
"""
WRITING = (
    """
import sys
from pathlib import Path
from slipway.packs.build_writing import write_build
"""
    + PEAK
    + """
folder = Path(sys.argv[1])
with (folder / 'pack').open('wb') as sink:
    written = write_build(folder / 'tree', sink, build=1)
(folder / 'index').write_bytes(written.encoded)
print(peak())
"""
)
APPLYING = (
    """
import sys
from pathlib import Path
from slipway.packs.applying import apply
from slipway.packs.index_decoding import decode_index
from slipway.packs.local_reuse import LocalBuild
from slipway.packs.range_sources import FileSource
"""
    + PEAK
    + """
folder = Path(sys.argv[1])
index = decode_index((folder / 'index').read_bytes())
for name, old in (('one', None), ('two', LocalBuild(folder / 'tree', index))):
    (folder / name).mkdir()
    apply(index, folder / name, FileSource(folder / 'pack'), old=old)
print(peak())
"""
)


def measured(program: str, folder: Path) -> float:
    """The peak RSS in MiB that the program prints."""
    done = subprocess.run(
        [sys.executable, "-c", program, folder], cwd=ROOT, capture_output=True, text=True, timeout=170, check=True
    )
    return float(done.stdout)


@pytest.fixture(scope="module", params=[64, 512], ids="{} MiB".format)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree of so many MiB: one large file and many small ones."""
    size: int = request.param
    folder = tmp_path_factory.mktemp(f"{size}")
    (folder / "tree/mygame/small").mkdir(parents=True)
    with (folder / "tree/mygame/large.rpa").open("wb") as file, Path("/dev/urandom").open("rb") as chance:
        for _ in range(size):
            file.write(chance.read(2**20))
    for number in range(2000):
        (folder / f"tree/mygame/small/{number}").write_text(f"{number}\n" * 300)
    return folder


def test_writing_and_applying_stay_within_their_bounds(folder: Path) -> None:
    assert measured(WRITING, folder) < 250
    assert measured(APPLYING, folder) < 120
