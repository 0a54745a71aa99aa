"""One step of the packs bench in a process of its own: `write` or `apply`, the bench's folder, a directory.

Prints seconds and peak RSS in MiB.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from slipway.packs.applying import apply
from slipway.packs.index_decoding import decode_index
from slipway.packs.range_sources import FileSource


def _write(work: Path, root: Path) -> None:
    from slipway.packs.build_writing import write_build

    with (work / "pack1").open("wb") as sink:
        written = write_build(root, sink, build=1)
    (work / "index1").write_bytes(written.encoded)


def _apply(work: Path, root: Path) -> None:
    root.mkdir()
    apply(decode_index((work / "index1").read_bytes()), root, FileSource(work / "pack1"))


def _peak() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    step, work, root = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    started = time.perf_counter()
    {"write": _write, "apply": _apply}[step](work, root)
    print(time.perf_counter() - started, _peak())
