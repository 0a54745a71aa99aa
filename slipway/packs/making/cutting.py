"""Where a file is cut into chunks: FastCDC, and before the entries of a Ren'Py archive (`.rpa`).

The same bytes give the same chunks, whatever the file's name (but for `.rpa`) and wherever reads end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

# The extension itself: `import pyfastcdc` would fall back to Python without a word, 700 times slower.
from pyfastcdc.cy import FastCDC

from slipway.packs.format.pack_format import RULES, CuttingRules

ENTRY_MARKER = b"Made with Ren'Py."
"""Ren'Py writes it before each entry of an archive, so that entries can be found without reading its index."""

_WINDOW_BYTES = 8 * 2**20

Read = Callable[[memoryview], int]


class Window(NamedTuple):
    """Consecutive bytes of a file, and the lengths of the chunks that they are cut into."""

    content: memoryview
    lengths: list[int]


class WindowBuffers:
    """Buffers to be used again. Allocating each anew costs more time than cutting, or leaves holes in the heap that are
    never given back."""

    def __init__(self) -> None:
        self._free: list[bytearray] = []

    def take(self, size: int) -> bytearray:
        """A buffer of so many bytes, with any content."""
        return self._free.pop() if size == _WINDOW_BYTES and self._free else bytearray(size)

    def put_back(self, window: Window) -> None:
        """Nothing reads the window any more."""
        buffer = window.content.obj
        if isinstance(buffer, bytearray) and len(buffer) == _WINDOW_BYTES:
            self._free.append(buffer)


def has_entry_markers(path: str) -> bool:
    """Whether the file at `path` is also cut before its markers."""
    return path.endswith(".rpa")


def cut(
    read: Read, size: int, *, marked: bool, rules: CuttingRules = RULES, buffers: WindowBuffers | None = None
) -> Iterator[Window]:
    """The chunks of the file that `read` fills buffers from (0 at its end), a window at a time.

    `size` is how long the file is thought to be. Each window has a buffer of its own, so that windows can be hashed
    side by side; it is taken from `buffers`, and the caller puts it back there.
    """
    buffers = buffers or WindowBuffers()
    cutter = _Cutter(rules, marked=marked)
    held = b""
    ended = False
    window_bytes = min(size + 1, _WINDOW_BYTES)
    while not ended:
        buffer = buffers.take(window_bytes)
        window_bytes = _WINDOW_BYTES
        buffer[: len(held)] = held
        filled, ended = _fill(read, memoryview(buffer), len(held))
        content = memoryview(buffer)[:filled]
        lengths = cutter.cut(buffer, filled, ended=ended)
        taken = sum(lengths)
        held = bytes(content[taken:])
        if taken:
            yield Window(content[:taken], lengths)


def _fill(read: Read, view: memoryview, filled: int) -> tuple[int, bool]:
    while filled < len(view):
        count = read(view[filled:])
        if not count:
            return filled, True
        filled += count
    return filled, False


class _Cutter:
    """Holds what the next cut depends on beside the bytes that follow it."""

    def __init__(self, rules: CuttingRules, *, marked: bool) -> None:
        self._rules = rules
        self._marked = marked
        self._look_ahead = rules.max_bytes + rules.alone_bytes + len(ENTRY_MARKER)
        self._files = FastCDC(
            rules.average_bytes,
            min_size=rules.min_bytes,
            max_size=rules.max_bytes,
            normalized_chunking=rules.normalization,
        )
        self._runs = FastCDC(
            rules.run_average_bytes,
            min_size=rules.run_min_bytes,
            max_size=rules.run_max_bytes,
            normalized_chunking=rules.normalization,
        )
        self._inside_entry = not marked  # within an entry that stands alone; a file without markers is one such entry
        self._at_entry = True  # where an entry begins, or the file

    def cut(self, buffer: bytearray, end: int, *, ended: bool) -> list[int]:
        """The lengths of all chunks that the bytes before `end` decide; of all, when the file has `ended`."""
        lengths: list[int] = []
        position, marker = 0, -1
        view = memoryview(buffer)[:end]
        while position < end and (ended or position + self._look_ahead <= end):
            run = 0 if self._inside_entry else self._run_length(buffer, position, end)
            if run:
                length = next(self._runs.cut_buf(view[position : position + run])).length
                self._at_entry = buffer.startswith(ENTRY_MARKER, position + length, end)
            else:
                if self._marked and marker <= position:
                    marker = _found(buffer.find(ENTRY_MARKER, position + 1, end), end)
                stop = marker if self._marked else end
                stop = min(stop, position + self._rules.max_bytes)
                length = next(self._files.cut_buf(view[position:stop])).length
                self._at_entry = self._marked and position + length == marker
                self._inside_entry = not self._at_entry
            lengths.append(length)
            position += length
        return lengths

    def _run_length(self, buffer: bytearray, position: int, end: int) -> int:
        """Bytes until the next entry that stands alone begins; not counted further than a run's longest chunk."""
        alone, marker = self._rules.alone_bytes, len(ENTRY_MARKER)
        entry = position
        if not self._at_entry:
            entry = _found(buffer.find(ENTRY_MARKER, position, min(end, position + alone + marker)), end)
        while entry - position < self._rules.run_max_bytes:
            # The last entry that begins within reach: those between are small too, however many there are.
            next_entry = buffer.rfind(ENTRY_MARKER, entry + 1, min(end, entry + alone - 1 + marker))
            if next_entry < 0:
                return entry - position if end - entry >= alone else end - position
            entry = next_entry
        return self._rules.run_max_bytes


def _found(position: int, end: int) -> int:
    return end if position < 0 else position
