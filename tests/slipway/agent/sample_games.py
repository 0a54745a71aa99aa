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
        return found == self.files and (directory / self.launcher).stat().st_mode & 0o777 == 0o555


def make_game(seed: int, size: int = 1 << 20, top: str = "paper-lanterns-1.0") -> Game:
    """A game of about `size` bytes that do not compress, different for every seed."""
    noise = random.Random(seed)
    files = {
        "game/empty.rpy": b"",
        "paper-lanterns.sh": b"#!/bin/sh\nexec lib/linux-x86_64/paper-lanterns\n",
        "game/script.rpy": b'label start:\n    "Build %d"\n' % seed,
        "lib/linux-x86_64/paper-lanterns": noise.randbytes(2048),
        "renpy/common.rpy": b"init python:\n    pass\n",
    }
    files |= {f"game/images/scene {number}.webp": noise.randbytes(size // 8) for number in range(8)}
    return Game(_packed(top, files), top, "paper-lanterns.sh", files)


def make_versions(size: int = 4 << 20) -> tuple[Game, Game]:
    """A game and its update: one script changed, one image added, and edits everywhere in a library."""
    first = make_game(1, size)
    library = random.Random(7).randbytes(600_000)
    edited = b"".join(library[at : at + 9000] + b"edit" for at in range(0, len(library), 9004))
    name = "lib/linux-x86_64/libpython.so"
    files = first.files | {name: library}
    changed = files | {
        "game/script.rpy": b'label start:\n    "Build 2"\n',
        "game/images/extra.webp": random.Random(8).randbytes(150_000),
        name: edited,
    }
    return game_of(first, files), game_of(first, changed)


def game_of(like: Game, files: dict[str, bytes]) -> Game:
    """A game with other files, packaged like one that there is."""
    return Game(_packed(like.top_directory, files), like.top_directory, like.launcher, files)


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
