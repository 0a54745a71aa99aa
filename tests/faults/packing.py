"""Archives made in a moment: stored, not compressed, so that a hundred of them cost nothing."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

TOP = "PaperLanterns-1.0"
LAUNCHER = "paper-lanterns.sh"


@dataclass(frozen=True)
class Packed:
    """An archive, and the files that must lie below its top directory once it is unpacked."""

    archive: bytes = field(repr=False)
    files: dict[str, bytes] = field(repr=False)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.archive).hexdigest()

    def lies_in(self, directory: Path) -> bool:
        """Whether exactly this game is there, ready to start."""
        found = {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}
        return found == self.files and bool((directory / LAUNCHER).stat().st_mode & 0o111)


def packed_game(seed: int, size: int) -> Packed:
    """A game of about `size` bytes, different for every seed."""
    noise = random.Random(seed)
    files = {
        LAUNCHER: b"#!/bin/sh\nexec lib/linux-x86_64/engine\n",
        "game/script.rpy": b"label start:\n    # build %d\n" % seed,
        "lib/linux-x86_64/engine": noise.randbytes(2048),
        "renpy/common.rpy": b"init python:\n    pass\n",
    }
    files |= {f"game/images/{number}.webp": noise.randbytes(size // 4) for number in range(4)}
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.GNU_FORMAT) as packing:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{TOP}/{name}")
            member.size = len(content)
            member.mode = 0o755 if name == LAUNCHER or name.startswith("lib/") else 0o644
            packing.addfile(member, io.BytesIO(content))
    return Packed(gzip.compress(tar.getvalue(), compresslevel=0), files)
