"""All paths of an archive so far, and conflicts between them.

Half a million names must fit in memory, so names are stored as 64-bit hashes: Python's own string hash (SipHash, with a
new key in each process). A collision would reject a good archive about once in a hundred million archives of maximum
size. It cannot let anything through that unpacking would not stop. Dicts without values replace sets, because they are
half the size.
"""

import unicodedata

from slipway.archive.archive_member import Kind
from slipway.archive.archive_rejected import ArchiveRejected, display_name, repackage

_MAX_LISTED_WARNINGS = 20


class PathTree:
    """Paths and their kinds. A parent without a member of its own is an implied directory."""

    def __init__(self) -> None:
        self._kinds: dict[int, Kind] = {}
        self._recomposed: dict[int, None] = {}  # NFC spellings of names that are not spelled in NFC
        self._folded: dict[int, None] = {}  # lower-case spellings of names that are not in lower case
        self._last_parent = ""  # members usually follow their siblings
        self._clashes: list[str] = []
        self._clash_count = 0

    def __len__(self) -> int:
        return len(self._kinds)

    def kind(self, path: str) -> Kind | None:
        """The kind of entry at `path`, or None."""
        return self._kinds.get(hash(path))

    def add(self, path: str, kind: Kind) -> None:
        """Add a member. Raises ArchiveRejected if the path exists, or can be confused with another."""
        parent, _, name = path.rpartition("/")
        if parent != self._last_parent:
            self._add_parents(parent, path)
            self._last_parent = parent
        existing = self._kinds.get(hash(path))
        if existing is None:
            self._insert(parent, name, path, kind)
        elif existing.is_directory and kind is Kind.DIRECTORY:
            # A directory may be stored twice, as `tar czf … mygame mygame/game` does: both give the same result.
            self._kinds[hash(path)] = kind
        else:
            raise _duplicate_path(path, existing, kind)

    def warnings(self) -> tuple[str, ...]:
        """Names that differ only in case. They work on the servers, which run Linux, but not on every system."""
        unlisted = self._clash_count - len(self._clashes)
        return (*self._clashes, *([f"{unlisted} more names differ from another name only in case"] if unlisted else []))

    def _add_parents(self, parent: str, path: str) -> None:
        missing = []
        while parent:
            existing = self._kinds.get(hash(parent))
            if existing is None:
                missing.append(parent)
                parent = parent.rpartition("/")[0]
            elif existing.is_directory:
                break
            else:
                raise _not_a_directory(path, parent, existing)
        for directory in reversed(missing):
            above, _, name = directory.rpartition("/")
            self._insert(above, name, directory, Kind.IMPLIED_DIRECTORY)

    def _insert(self, parent: str, name: str, path: str, kind: Kind) -> None:
        if name.isascii():
            composed, folded = name, name.lower()
        else:
            composed = unicodedata.normalize("NFC", name)
            # A name that is not NFC gets no case warning, so that each name needs at most two entries.
            folded = unicodedata.normalize("NFC", name.casefold()) if composed == name else name
        if self._is_respelled(self._recomposed, parent, name, composed):
            raise ArchiveRejected(
                f"{display_name(path)} is stored twice, with its accents encoded in two ways (Unicode NFC and NFD)",
                f"Keep one of them. {repackage(path.partition('/')[0])}",
                display_name(path),
            )
        if self._is_respelled(self._folded, parent, name, folded):
            self._clash_count += 1
            if len(self._clashes) < _MAX_LISTED_WARNINGS:
                self._clashes.append(f"{display_name(path)} differs from another name only in upper and lower case")
        self._kinds[hash(path)] = kind

    def _is_respelled(self, spellings: dict[int, None], parent: str, name: str, spelling: str) -> bool:
        """Whether a sibling with another name has the same `spelling`."""
        key = hash(f"{parent}/{spelling}" if parent else spelling)
        known = key in spellings
        if spelling != name:
            known = known or key in self._kinds
            spellings[key] = None
        return known


def _duplicate_path(path: str, existing: Kind, kind: Kind) -> ArchiveRejected:
    shown, again = display_name(path), repackage(path.partition("/")[0])
    if existing.is_directory != (kind is Kind.DIRECTORY):
        before, now = ("directory", "file or link") if existing.is_directory else ("file or link", "directory")
        problem = f"{shown} is stored as a {before} and later as a {now}"
    else:
        problem = f"{shown} is stored twice"
    return ArchiveRejected(problem, f"Do not append to archives (tar -r). {again}", shown)


def _not_a_directory(path: str, parent: str, existing: Kind) -> ArchiveRejected:
    shown, again = display_name(path), repackage(path.partition("/")[0])
    if existing is Kind.SYMLINK:
        return ArchiveRejected(
            f"{shown} would be written through the symbolic link {display_name(parent)}", again, shown
        )
    return ArchiveRejected(f"{shown} is inside {display_name(parent)}, which is a file", again, shown)
