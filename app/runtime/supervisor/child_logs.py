"""Log files of the children: kept small. Important lines are repeated on the supervisor's own output."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import BinaryIO

_ROTATE_BYTES = 8 * 1024**2  # a larger file is renamed at start
_MAX_BYTES = 32 * 1024**2  # a larger file is copied and emptied while running
_SHOWN_AT_ONCE = 5
_MATTERS = re.compile(r"\b(WARNING|ERROR|CRITICAL|FATAL)\b")
_STORAGE_MATTERS = re.compile(r"<(ERROR|FATAL)>")  # its warnings are about its own settings


def open_log(path: Path) -> BinaryIO:
    """The file, opened for appending. A long one is first renamed to `.1`, replacing the one before."""
    if path.exists() and path.stat().st_size > _ROTATE_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")


def last_lines(path: Path, count: int = 15) -> str:
    """The end of a log, for an error message."""
    if not path.exists():
        return ""
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - 16384))
        lines = log.read().decode(errors="replace").splitlines()
    return "\n".join(f"    {_plain(line)}" for line in lines[-count:])


class Tail:
    """Follows one log from its current end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._matters = _STORAGE_MATTERS if path.stem == "storage" else _MATTERS
        self._position = path.stat().st_size if path.exists() else 0

    def news(self) -> list[str]:
        """Important lines since the last call: at most a few, then the number of the others."""
        if not self.path.exists():
            return []
        size = self.path.stat().st_size
        if size < self._position:  # renamed or emptied
            self._position = 0
        with self.path.open("rb") as log:
            log.seek(self._position)
            written = log.read(_ROTATE_BYTES)
        complete, _, _ = written.rpartition(b"\n")
        if not complete:
            return []
        self._position += len(complete) + 1
        found = [line for line in complete.decode(errors="replace").splitlines() if self._matters.search(line)]
        shown = [_plain(line) for line in found[:_SHOWN_AT_ONCE]]
        if len(found) > len(shown):
            shown.append(f"… and {len(found) - len(shown)} more in {self.path}")
        return shown

    def keep_small(self) -> None:
        """Copy to `.1` and empty, once it is too long. The writer appends, so it continues at the new end."""
        if self.path.exists() and self.path.stat().st_size > _MAX_BYTES:
            shutil.copyfile(self.path, self.path.with_suffix(".log.1"))
            with self.path.open("r+b") as log:
                log.truncate()


def _plain(line: str) -> str:
    """A line of the app's JSON as `LEVEL message`, with the last line of its traceback. Other lines unchanged."""
    try:
        event = json.loads(line)
        text = f"{event['levelname']} {event['message']}"
        if trace := event.get("exc_info"):
            text += f" ({trace.splitlines()[-1]})"
    except (ValueError, KeyError, TypeError, AttributeError):
        text = line
    return text[:400]
