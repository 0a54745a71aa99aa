"""Entries of an index go through the rules of an archive's members: one set of rules for both."""

from __future__ import annotations

from collections.abc import Sequence

from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.archive_rejected import ArchiveRejected, display_name
from slipway.archive.member_rules import MemberRules
from slipway.archive.tar.tar_header import Header
from slipway.packs.format.index import Kind, sort_key

_TYPES = {Kind.DIRECTORY: b"5", Kind.FILE: b"0", Kind.PROGRAM: b"0", Kind.SYMLINK: b"2", Kind.HARD_LINK: b"1"}
_MODES = {Kind.PROGRAM: 0o755}
_REMEDY = "The index was not made by Slipway, or is damaged"


class EntryRules:
    """Admits the entries of one index; raises ArchiveRejected."""

    def __init__(self, limits: ArchiveLimits, launcher: str | None) -> None:
        self._rules = MemberRules(limits, launcher)
        self._key = b""
        self._open: list[bytes] = []  # the directories down to the last entry

    def admit_all(self, kinds: Sequence[int], paths: Sequence[bytes], targets: dict[int, bytes]) -> None:
        """Entries in their order. Raises ArchiveRejected, naming the first that breaks a rule."""
        for entry, (kind, path) in enumerate(zip(kinds, paths, strict=True)):
            self.admit(Kind(kind), path, targets.get(entry, b""))

    def admit(self, kind: Kind, path: bytes, target: bytes) -> None:
        """The next entry."""
        member = self._rules.admit(Header(path, target, _TYPES[kind], 0, _MODES.get(kind, 0o644), None))
        # An archive may write "a//b" and "./a"; here a path has one spelling.
        if member is None or member.path.encode() != path:
            raise _refused(path, "is not a clean path")
        if kind is Kind.HARD_LINK and member.target != target.decode():
            raise _refused(path, "is a hard link to what is not a clean path")
        self._check_order(path)
        self._check_parent(kind, path)

    def conclude(self) -> tuple[str, str]:
        """Top directory and launcher. Raises ArchiveRejected when this is not a packaged game."""
        return self._rules.finish()

    def _check_order(self, path: bytes) -> None:
        key = sort_key(path)
        if key <= self._key:
            raise _refused(path, "is not in order")
        self._key = key

    def _check_parent(self, kind: Kind, path: bytes) -> None:
        parent = path.rpartition(b"/")[0]
        while self._open and self._open[-1] != parent:
            self._open.pop()
        if parent and not self._open:
            raise _refused(path, "has no entry for its directory")
        if kind is Kind.DIRECTORY:
            self._open.append(path)


def _refused(path: bytes, problem: str) -> ArchiveRejected:
    return ArchiveRejected(f"{display_name(path)} {problem}", _REMEDY, display_name(path))
