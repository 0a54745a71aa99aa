"""What changed between two builds, from their indexes alone."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from slipway.packs.chunk_lookup import ChunkLookup
from slipway.packs.format.index import Entries, Index, Kind, sort_key


class ChangeKind(Enum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True)
class Change:
    """A file or link that differs. Sizes in bytes, None where it does not stand; 0 for symbolic links. A hard link has
    the size and the content of its file.

    `new_bytes` is what of its content the old build has nowhere, unpacked: 0 for a file that was only moved.
    """

    path: str
    kind: ChangeKind
    old_size: int | None
    new_size: int | None
    new_bytes: int


@dataclass(frozen=True)
class Comparison:
    """Every change in the order of paths; directories are not listed. A changed x bit or link is a change too.

    `new_bytes` is the content, unpacked, that the old build has nowhere. Content that several files have counts once,
    so it may be less than the sum of the changes.
    """

    changes: list[Change]
    new_bytes: int


def compare(old: Index, new: Index) -> Comparison:
    """What changed from the build of the old index to that of the new one."""
    content = _NewContent(old, new)
    return Comparison(list(_changes(old, new, content)), content.total_bytes)


def below_top(index: Index) -> Index:
    """The same files with paths that begin below the top directory, which often has the version in its name: `changes`
    would find every file removed and added again."""
    entries = index.entries
    if not entries.paths:
        return index
    skipped = len(entries.paths[0]) + 1
    targets = {
        entry - 1: target[skipped:] if entries.kinds[entry] == Kind.HARD_LINK else target
        for entry, target in entries.targets.items()
    }
    paths = [path[skipped:] for path in entries.paths[1:]]
    inner = Entries(paths, entries.kinds[1:], targets, entries.reference_starts[1:], entries.references)
    return Index(index.rules, index.generations, inner, index.chunks)


def has_same_files(old: Index, new: Index) -> bool:
    """Whether both builds have the same entries with the same content."""
    return (
        old.entries.paths == new.entries.paths
        and old.entries.kinds == new.entries.kinds
        and old.entries.targets == new.entries.targets
        and old.entries.reference_starts == new.entries.reference_starts
        and all(
            old.hash(one) == new.hash(other)
            for one, other in zip(old.entries.references, new.entries.references, strict=True)
        )
    )


class _NewContent:
    """The content of `new` that `old` has nowhere, in bytes. `total_bytes`: of the files that were asked about."""

    def __init__(self, old: Index, new: Index) -> None:
        self._known = ChunkLookup(old)
        self._new = new
        self._counted = bytearray(new.chunk_count)
        self.total_bytes = 0

    def of_file(self, entry: int) -> int:
        new_bytes = 0
        for chunk in dict.fromkeys(self._new.chunks_of(entry)):
            if self._known.find(self._new.hash(chunk)) is None:
                new_bytes += self._new.length(chunk)
                self._count(chunk)
        return new_bytes

    def _count(self, chunk: int) -> None:
        if not self._counted[chunk]:
            self._counted[chunk] = 1
            self.total_bytes += self._new.length(chunk)


def _changes(old: Index, new: Index, content: _NewContent) -> Iterator[Change]:
    old_entry = new_entry = 0
    while old_entry < old.entry_count or new_entry < new.entry_count:
        order = _order(old, old_entry, new, new_entry)
        if order < 0:
            yield from _removed(old, old_entry)
        elif order > 0:
            yield from _added(new, new_entry, content)
        else:
            yield from _changed(old, old_entry, new, new_entry, content)
        old_entry += order <= 0
        new_entry += order >= 0


def _order(old: Index, old_entry: int, new: Index, new_entry: int) -> int:
    """Below 0 when the old entry comes first, above 0 when the new one does."""
    if old_entry == old.entry_count:
        return 1
    if new_entry == new.entry_count:
        return -1
    before, after = sort_key(old.entries.paths[old_entry]), sort_key(new.entries.paths[new_entry])
    return (before > after) - (before < after)


def _is_listed(index: Index, entry: int) -> bool:
    kind = index.kind(entry)
    return kind.is_file or kind.is_link


def _content_entry(index: Index, entry: int) -> int:
    """The entry that has the content of this one: for a hard link, its file."""
    entries = index.entries
    if entries.kinds[entry] != Kind.HARD_LINK:
        return entry
    return bisect_left(entries.paths, sort_key(entries.targets[entry]), hi=entry, key=sort_key)


def _size(index: Index, entry: int) -> int:
    return index.size(_content_entry(index, entry))


def _removed(old: Index, entry: int) -> Iterator[Change]:
    if _is_listed(old, entry):
        yield Change(old.path(entry), ChangeKind.REMOVED, _size(old, entry), None, 0)


def _added(new: Index, entry: int, content: _NewContent) -> Iterator[Change]:
    if _is_listed(new, entry):
        new_bytes = content.of_file(_content_entry(new, entry))
        yield Change(new.path(entry), ChangeKind.ADDED, None, _size(new, entry), new_bytes)


def _changed(old: Index, old_entry: int, new: Index, new_entry: int, content: _NewContent) -> Iterator[Change]:
    if not _is_listed(old, old_entry):
        yield from _added(new, new_entry, content)
    elif not _is_listed(new, new_entry):
        yield from _removed(old, old_entry)
    elif not _is_same(old, old_entry, new, new_entry):
        sizes = _size(old, old_entry), _size(new, new_entry)
        new_bytes = content.of_file(_content_entry(new, new_entry))
        yield Change(new.path(new_entry), ChangeKind.CHANGED, *sizes, new_bytes)


def _is_same(old: Index, old_entry: int, new: Index, new_entry: int) -> bool:
    if old.entries.kinds[old_entry] != new.entries.kinds[new_entry]:
        return False
    if old.entries.targets.get(old_entry) != new.entries.targets.get(new_entry):
        return False
    before, after = old.chunks_of(old_entry), new.chunks_of(new_entry)
    return len(before) == len(after) and all(
        old.hash(one) == new.hash(other) for one, other in zip(before, after, strict=True)
    )
