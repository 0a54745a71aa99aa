"""The differences between two builds as a compact table: largest first, filtered and read page by page.

200,000 changes take about 20 MB, and a page of them a tenth of a second.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from app.data.text_search import fold
from slipway.packs.comparing import Change, ChangeKind, Comparison

_KINDS = (ChangeKind.ADDED, ChangeKind.REMOVED, ChangeKind.CHANGED)
_ROW_BYTES = 3 * 8 + 1 + 80  # three sizes, the kind, and the objects around a path


@dataclass(frozen=True)
class ChangeFilter:
    """`kind`: only these changes. `text`: only paths that contain it, without regard to case, accents and the
    Unicode form of a letter."""

    kind: ChangeKind | None = None
    text: str = ""


@dataclass(frozen=True)
class ChangePage:
    """`next_position`: where the next page begins, or None at the end. `matching`: changes that pass the filter."""

    changes: list[Change]
    matching: int
    next_position: int | None


class ChangeTable:
    """All changes, sorted by the size of the file (the new one, if there is one), largest first, then by path.
    `new_bytes`: content, unpacked, that the older build has nowhere."""

    def __init__(self, found: Comparison) -> None:
        rows = sorted(found.changes, key=lambda change: (-_size(change), change.path))
        self._paths = [change.path for change in rows]
        self._kinds = bytearray(_KINDS.index(change.kind) for change in rows)
        self._old = array("Q", (change.old_size or 0 for change in rows))
        self._new = array("Q", (change.new_size or 0 for change in rows))
        self._new_bytes = array("Q", (change.new_bytes for change in rows))
        self.new_bytes = found.new_bytes
        self.memory_bytes = sum(map(len, self._paths)) + _ROW_BYTES * len(rows)

    def __len__(self) -> int:
        return len(self._paths)

    def counts(self, text: str = "") -> dict[ChangeKind, int]:
        """By kind, of the paths that contain the text."""
        found = Counter(self._kinds[row] for row in self._matching(ChangeFilter(text=text)))
        return {kind: found[number] for number, kind in enumerate(_KINDS)}

    def page(self, chosen: ChangeFilter, position: int, limit: int) -> ChangePage:
        """At most `limit` changes from `position` on. Positions count all changes, so they suit every filter."""
        rows: list[int] = []
        matching, after = 0, None
        for row in self._matching(chosen):
            matching += 1
            if row < position:
                continue
            if len(rows) < limit:
                rows.append(row)
            elif after is None:
                after = row
        return ChangePage([self._change(row) for row in rows], matching, after)

    def _matching(self, chosen: ChangeFilter) -> Iterator[int]:
        kind = None if chosen.kind is None else _KINDS.index(chosen.kind)
        part = fold(chosen.text)
        if chosen.text and not part:
            return  # only an accent, say: no path contains that
        for row, path in enumerate(self._paths):
            if (kind is None or self._kinds[row] == kind) and (not part or part in fold(path)):
                yield row

    def _change(self, row: int) -> Change:
        kind = _KINDS[self._kinds[row]]
        old = None if kind is ChangeKind.ADDED else self._old[row]
        new = None if kind is ChangeKind.REMOVED else self._new[row]
        return Change(self._paths[row], kind, old, new, self._new_bytes[row])


def _size(change: Change) -> int:
    return (change.old_size if change.new_size is None else change.new_size) or 0
