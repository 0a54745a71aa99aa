"""Games as Ren'Py builds them, made from a seed and from what is on this machine, and five ways to change one."""

from __future__ import annotations

import os
import pickle
import random
import shutil
import sysconfig
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from slipway.packs.making.cutting import ENTRY_MARKER

MIB = 2**20
TOP = "lanterns"
MEDIA_FOLDERS = (Path("/usr/share/games"), Path("/usr/share/games-data"))
_MEDIA_ENDINGS = {".png", ".jpg", ".jpeg", ".webp", ".ogg", ".opus"}
_RUNTIME_BYTES = 30 * MIB
_ENGINE_BYTES = 12 * MIB
_SCRIPTS = 60
_KEY = 0x42424242
_WORDS = "the lantern river you she night quietly remembers a door of paper and rain under old bridge never again"


class Media:
    """Pictures and sounds: those of free games where they are installed, else bytes like them, which no compression
    shortens either."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        found = sorted(path for folder in MEDIA_FOLDERS for path in folder.rglob("*") if _is_media(path))
        self._random.shuffle(found)
        self.real = len(found)
        self._paths = iter(found)

    def next(self) -> bytes:
        """Another file, never one that was given before."""
        path = next(self._paths, None)
        if path:
            return path.read_bytes()
        if self._random.random() < 0.02:
            return self._random.randbytes(self._random.randint(MIB, 4 * MIB))
        return self._random.randbytes(int(min(max(self._random.lognormvariate(10.3, 0.9), 800), 600_000)))


def _is_media(path: Path) -> bool:
    return path.suffix in _MEDIA_ENDINGS and path.is_file() and not path.is_symlink() and path.stat().st_size > 2000


class Game:
    """A game's folder and the media of its archive, by name."""

    def __init__(self, root: Path, size: int) -> None:
        """Make it below `root`, of about `size` bytes."""
        self.root, self._top = root, root / TOP
        self.media = Media(1)
        (self._top / "game").mkdir(parents=True)
        (self._top / f"{TOP}.sh").write_text('#!/bin/sh\nexec "$(dirname "$0")/lib/linux-x86_64/python" "$@"\n')
        (self._top / f"{TOP}.sh").chmod(0o755)
        used = _copy(_runtime(), self._top / "lib/linux-x86_64", _RUNTIME_BYTES, 0o755)
        used += _copy(_engine(), self._top / "renpy", _ENGINE_BYTES, 0o644)
        for number in range(_SCRIPTS):
            used += self.write_script(number, _script(number))
        self.entries: dict[str, bytes] = {}
        while used < size:
            content = self.media.next()
            self.entries[f"images/scene {len(self.entries):05}.webp"] = content
            used += len(content)
        self.write_archive(self.root)

    def write_script(self, number: int, text: str, root: Path | None = None) -> int:
        """A script and what Ren'Py compiles it to: a pickle, compressed. Returns their bytes."""
        folder = (root or self.root) / TOP / "game"
        compiled = pickle.dumps([("say", line, number, at) for at, line in enumerate(text.split("\n"))])
        size = _renew(folder / f"script{number:02}.rpy", text.encode())
        return size + _renew(folder / f"script{number:02}.rpyc", b"RENPY RPC2" + zlib.compress(compiled, 9))

    def write_archive(self, root: Path) -> None:
        """The `.rpa` of `entries`, as Ren'Py's archiver lays it out (format 3.0)."""
        place = root / TOP / "game" / "archive.rpa"
        place.unlink(missing_ok=True)
        index = {}
        with place.open("wb") as file:
            file.write(b" " * 51)
            for name, content in sorted(self.entries.items()):
                file.write(ENTRY_MARKER)
                index[name] = [(file.tell() ^ _KEY, len(content) ^ _KEY, b"")]
                file.write(content)
            start = file.tell()
            file.write(zlib.compress(pickle.dumps(index, 2)))
            file.seek(0)
            file.write(b"RPA-3.0 %016x %08x\n" % (start, _KEY))

    def copy(self, root: Path) -> Path:
        """Another folder with the same files, as further names of them."""
        shutil.copytree(self.root, root, symlinks=True, copy_function=os.link)
        return root


def _renew(path: Path, content: bytes) -> int:
    """Write a file anew: it may be another name of the first version's."""
    mode = path.stat().st_mode if path.exists() else 0o644
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    return len(content)


def _script(number: int) -> str:
    chance, words = random.Random(number), _WORDS.split()
    lines = [" ".join(chance.choices(words, k=chance.randint(6, 14))) for _ in range(chance.randint(400, 1400))]
    return f"label chapter_{number}:\n" + "\n".join(f'    e "{line.capitalize()}."' for line in lines)


def _runtime() -> Iterator[Path]:
    """Shared libraries of this machine, the largest first."""
    folders = [Path(sysconfig.get_path("platlib")), Path("/usr/lib/x86_64-linux-gnu")]
    found = [path for folder in folders for path in folder.rglob("*.so*") if path.is_file() and not path.is_symlink()]
    sizes = [(path.stat().st_size, path.name, path) for path in found]
    return (path for size, _, path in sorted(sizes, reverse=True) if size < 12 * MIB)


def _engine() -> Iterator[Path]:
    folder = Path(sysconfig.get_path("stdlib"))
    yield from sorted(path for path in folder.glob("*.py"))
    yield from sorted(path for path in folder.glob("*/*.py") if "site-packages" not in path.parts)


def _copy(files: Iterator[Path], folder: Path, size: int, mode: int) -> int:
    folder.mkdir(parents=True)
    used = 0
    for number, path in enumerate(files):
        if used >= size:
            break
        content = path.read_bytes()
        place = folder / f"{number:03}-{path.name}"
        place.write_bytes(content)
        place.chmod(mode)
        used += len(content)
    return used


# --- The five changes. Each takes a game and the folder of a copy of it.


def one_script(game: Game, root: Path) -> None:
    text = (game.root / TOP / "game" / "script07.rpy").read_text()
    game.write_script(7, text.replace("night", "evening", 1), root)


def script_and_insertions(game: Game, root: Path) -> None:
    one_script(game, root)
    _change_archive(game, root, added=5, replaced=0)


def runtime_upgrade(game: Game, root: Path) -> None:
    for path in sorted((root / TOP / "lib").rglob("*")):
        if path.is_file():
            _renew(path, _relinked(path.read_bytes()))
    for number, path in enumerate(sorted((root / TOP / "renpy").rglob("*.py"))):
        if number % 10 == 0:
            _renew(path, path.read_bytes() + b"\n# Copyright of another year.\n")


def rebuilt(game: Game, root: Path) -> None:
    """The same content: only times differ, and the order in the tar."""
    for path in sorted(root.rglob("*")):
        content = path.read_bytes() if path.is_file() else None
        if content is not None:
            _renew(path, content)
            os.utime(path, (1_750_000_000, 1_750_000_000))


def thirty_images(game: Game, root: Path) -> None:
    _change_archive(game, root, added=30, replaced=30)


CHANGES: dict[str, Callable[[Game, Path], None]] = {
    "one script": one_script,
    "script, 5 images in the .rpa": script_and_insertions,
    "runtime upgrade": runtime_upgrade,
    "same content, tar rebuilt": rebuilt,
    "30 images added, 30 replaced": thirty_images,
}


def _change_archive(game: Game, root: Path, added: int, replaced: int) -> None:
    before = dict(game.entries)
    names = sorted(before)
    middle = len(names) // 2
    for number in range(added):
        game.entries[f"{names[middle]} {number}"] = game.media.next()
    for number in range(replaced):
        game.entries[names[number * len(names) // replaced]] = game.media.next()
    game.write_archive(root)
    game.entries = before


def _relinked(content: bytes) -> bytes:
    """As if linked again: something was inserted, and addresses everywhere moved by as much."""
    edited = bytearray(content)
    places = random.Random(len(content))
    position = 0x1000
    while position + 4 < len(edited):
        value = int.from_bytes(edited[position : position + 4], "little")
        edited[position : position + 4] = (value + 0x1C0 & 0xFFFFFFFF).to_bytes(4, "little")
        position += places.randint(600, 4200)
    third = len(edited) // 3
    return bytes(edited[:third]) + places.randbytes(0x1C0) + bytes(edited[third:])
