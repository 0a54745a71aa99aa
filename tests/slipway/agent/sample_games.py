"""Small real games as studios package them, made anew for every test."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.slipway.archive.packagers import bsdtar


@dataclass(frozen=True)
class Game:
    """An archive and what must be on disk once it is unpacked: file contents by path below the top directory."""

    archive: bytes = field(repr=False)
    top_directory: str
    launcher: str
    files: dict[str, bytes] = field(repr=False)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.archive).hexdigest()

    @property
    def size(self) -> int:
        return len(self.archive)

    @property
    def unpacked_bytes(self) -> int:
        return sum(len(content) for content in self.files.values())

    def lies_in(self, directory: Path) -> bool:
        """Whether `directory` holds exactly this game."""
        found = {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}
        return found == self.files and (directory / self.launcher).stat().st_mode & 0o777 == 0o755


def make_game(seed: int, size: int = 1 << 20, top: str = "paper-lanterns-1.0") -> Game:
    """A game of about `size` bytes that do not compress, different for every seed."""
    noise = random.Random(seed)
    files = {
        "paper-lanterns.sh": b"#!/bin/sh\nexec lib/linux-x86_64/paper-lanterns\n",
        "game/script.rpy": b'label start:\n    "Build %d"\n' % seed,
        "lib/linux-x86_64/paper-lanterns": noise.randbytes(2048),
        "renpy/common.rpy": b"init python:\n    pass\n",
    }
    files |= {f"game/images/scene {number}.webp": noise.randbytes(size // 8) for number in range(8)}
    return Game(_packed(top, files), top, "paper-lanterns.sh", files)


def make_holed_game(folder: Path) -> Game:
    """A game with a file that was allocated in advance, packaged by bsdtar to a pipe: a sparse file, and zeros behind
    the gzip stream."""
    top = "paper-lanterns-1.0"
    files = {
        "paper-lanterns.sh": b"#!/bin/sh\n",
        "game/script.rpy": b"label start:\n",
        "game/holes.bin": bytes(5 << 20) + b"end",
    }
    for name, content in files.items():
        path = folder / top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.seek(len(content) - len(content.lstrip(b"\0")))
            file.write(content.lstrip(b"\0"))
        path.chmod(0o755 if name.endswith(".sh") else 0o644)
    return Game(bsdtar(folder, top=top), top, "paper-lanterns.sh", files)


def _packed(top: str, files: dict[str, bytes]) -> bytes:
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{top}/{name}")
            member.size = len(content)
            member.mode = 0o755 if name.endswith(".sh") or name.startswith("lib/") else 0o644
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(tar.getvalue(), compresslevel=1)
