"""Real archives for tests: small games, packaged like partners' games."""

from __future__ import annotations

import gzip
import io
import random
import tarfile


def game_archive(
    launcher: str = "paper-lanterns.sh",
    *,
    top: str = "PaperLanterns-1.0",
    payload: bytes = b"label start:\n",
    seed: int = 0,
    engine: bytes | None = None,
    engine_mode: int = 0o755,
    launcher_text: bytes = b"#!/bin/sh\nexec echo playing\n",
    launcher_mode: int = 0o755,
) -> bytes:
    """A packaged game as tar.gz bytes. A different `seed` gives different bytes of the same shape. `engine`: what the
    program in lib/ contains."""
    unpacked = io.BytesIO()
    with tarfile.open(fileobj=unpacked, mode="w") as tar:
        for directory in ("", "/game", "/lib", "/lib/linux-x86_64", "/renpy"):
            member = tarfile.TarInfo(top + directory)
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(member)
        add_file(tar, f"{top}/{launcher}", launcher_text, launcher_mode)
        add_file(tar, f"{top}/game/script.rpy", payload)
        add_file(tar, f"{top}/lib/linux-x86_64/engine", engine or random.Random(seed).randbytes(2048), engine_mode)
        add_file(tar, f"{top}/renpy/version.txt", str(seed).encode())
    # Random data does not compress, so large payloads are stored with level 0.
    return gzip.compress(unpacked.getvalue(), 9 if len(payload) < 100_000 else 0, mtime=0)


def big_archive(size: int, launcher: str = "paper-lanterns.sh", seed: int = 1) -> bytes:
    """A game whose packed size is about `size` bytes (incompressible content)."""
    return game_archive(launcher, payload=random.Random(seed).randbytes(size), seed=seed)


def add_file(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    """One regular file."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), mode
    tar.addfile(member, io.BytesIO(content))
