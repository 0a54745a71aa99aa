"""One step of the packs bench in a process of its own: `write`, `apply`, or an update by `copy` or `hard-link`.

The other arguments are the bench's folder, and the directory to read or to make.
It prints seconds and peak RSS in MiB.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from slipway.packs.applying import PatchObject, apply
from slipway.packs.format.index_decoding import decode_index
from slipway.packs.format.index_transfer import reference_to
from slipway.packs.format.patch_format import decode_patch
from slipway.packs.local_reuse import LocalBuild, Reuse
from slipway.packs.range_sources import FileSource


def _write(work: Path, root: Path) -> None:
    from slipway.packs.making.build_writing import write_build

    with (work / "pack1").open("wb") as sink:
        written = write_build(root, sink, build=1)
    (work / "index1").write_bytes(written.encoded)


def _apply(work: Path, root: Path) -> None:
    root.mkdir()
    apply(decode_index((work / "index1").read_bytes()), root, FileSource(work / "pack1"))


def _update(work: Path, root: Path, reuse: Reuse) -> None:
    """The second version from the first, which is in `held`."""
    encoded = [(work / f"index{number}").read_bytes() for number in (1, 2)]
    old, new = map(decode_index, encoded)
    hashes = [reference_to(one).sha256 for one in encoded]
    content = (work / "patch2").read_bytes()
    patch = PatchObject(decode_patch(content, old, hashes[0], new, hashes[1]), content) if content else None
    root.mkdir()
    apply(new, root, FileSource(work / "pack2"), old=LocalBuild(work / "held", old), patch=patch, reuse=reuse)


def _peak() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


STEPS: dict[str, Callable[[Path, Path], None]] = {
    "write": _write,
    "apply": _apply,
    "copy": partial(_update, reuse=Reuse.COPY),
    "hard-link": partial(_update, reuse=Reuse.HARD_LINK),
}

if __name__ == "__main__":
    step, work, root = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    started = time.perf_counter()
    STEPS[step](work, root)
    print(time.perf_counter() - started, _peak())
