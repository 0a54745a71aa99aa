"""Packaged games as folders, the way build tools leave them."""

from __future__ import annotations

import random
from pathlib import Path

LAUNCHER = "paper-lanterns.sh"


def game_folder(parent: Path, size: int = 2048, seed: int = 0, name: str = "PaperLanterns-1.0") -> Path:
    """A game whose content is about `size` bytes that do not pack."""
    top = parent / name
    for folder in ("game", "lib/linux-x86_64", "renpy"):
        (top / folder).mkdir(parents=True)
    (top / LAUNCHER).write_text("#!/bin/sh\nexec echo playing\n")
    (top / LAUNCHER).chmod(0o755)
    (top / "game" / "script.rpy").write_text("label start:\n")
    (top / "game" / "archive.rpa").write_bytes(random.Random(seed).randbytes(size))
    (top / "lib" / "linux-x86_64" / "engine").write_bytes(b"\x7fELF")
    (top / "lib" / "linux-x86_64" / "engine").chmod(0o755)
    (top / "lib" / "current").symlink_to("./linux-x86_64")
    return top
