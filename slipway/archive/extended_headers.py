"""Headers that describe the next member: PAX records (POSIX.1-2001) and GNU long names.

If two of them describe the same member, programs disagree on which one counts. Such an archive is rejected.
"""

import re

from slipway.archive.archive_rejected import REPACKAGE, ArchiveRejected, display_name
from slipway.archive.tar_header import Header

_PAX_MEMBER, _PAX_SOLARIS, _PAX_GLOBAL = b"x", b"X", b"g"
_GNU_LONG_NAME, _GNU_LONG_LINK = b"L", b"K"
_GNU_LONG = {_GNU_LONG_NAME: b"path", _GNU_LONG_LINK: b"linkpath"}

# Maximum bytes by type. ArchiveLimits.path_bytes limits names, so a GNU long name is short. PAX also stores extended
# attributes, which we skip.
_MAX_BYTES = {
    _PAX_MEMBER: 2**20,
    _PAX_SOLARIS: 2**20,
    _PAX_GLOBAL: 2**20,
    _GNU_LONG_NAME: 2**16,
    _GNU_LONG_LINK: 2**16,
}
EXTENDED_HEADER_TYPES = frozenset(_MAX_BYTES)

_HONOURED = frozenset((b"path", b"linkpath", b"size"))
_SPARSE_KEYS = (b"GNU.sparse.", b"SCHILY.realsize", b"SUN.holesdata")
_SPARSE_NAME = b"GNU.sparse.name"
_SPARSE = b"sparse"
_RECORD_LENGTH = re.compile(rb"([0-9]{1,10}) ")
# C programs end a key at NUL, and some skip blanks before it: they would read a different key.
_KEY = re.compile(rb"[^\0 \t][^\0]*")
_MAX_OCTAL_SIZE = 8**11 - 1  # the largest number of eleven octal digits, the width of a header's size field


class ExtendedHeaders:
    """Collects the values of extended headers and applies them to the member that follows."""

    def __init__(self) -> None:
        self._global: dict[bytes, bytes] = {}
        self._next: dict[bytes, bytes] = {}
        self._seen: set[bytes] = set()

    @property
    def pending(self) -> bool:
        """Whether a member must follow."""
        return bool(self._seen)

    def begin(self, header: Header) -> None:
        """Begin an extended header. Raises ArchiveRejected if it is too large, or describes a member a second time."""
        kind, shown = header.typeflag, display_name(header.name)
        if header.size > _MAX_BYTES[kind]:
            raise ArchiveRejected(
                f"The extended header {shown} has {header.size} bytes; {_MAX_BYTES[kind]} are allowed",
                "Shorten the file's path, and package without extended attributes (tar --no-xattrs)",
                shown,
            )
        if self._seen and (kind in self._seen or {kind, *self._seen} != set(_GNU_LONG)):
            raise ArchiveRejected(f"The extended header {shown} describes a member a second time", REPACKAGE, shown)
        if kind != _PAX_GLOBAL:
            self._seen.add(kind)

    def read_content(self, header: Header, content: bytes) -> None:
        """Read the content of the header passed to begin(). Raises ArchiveRejected."""
        if header.typeflag in _GNU_LONG:
            self._next[_GNU_LONG[header.typeflag]] = text = content.rstrip(b"\0")
            if not text:
                raise _damaged(header, 0)
        elif header.typeflag == _PAX_GLOBAL:
            self._global.update(_records(header, content))
        else:
            self._next = _records(header, content)

    def apply(self, header: Header) -> Header:
        """The member's header with its real name, link target and size. Its own values are then discarded."""
        if not self._seen and not self._global:
            return header
        values = {**self._global, **self._next}
        self._next, self._seen = {}, set()
        if _SPARSE in values:
            raise sparse_rejected(values.get(_SPARSE_NAME) or values.get(b"path") or header.name)
        # An empty value removes a global one (POSIX): the member's own header applies again.
        named = header._replace(
            name=values.get(b"path") or header.name, linkname=values.get(b"linkpath") or header.linkname
        )
        return named._replace(size=_size(values.get(b"size"), named))


def sparse_rejected(name: bytes) -> ArchiveRejected:
    """The rejection of a sparse member, in any of the formats."""
    shown = display_name(name)
    return ArchiveRejected(f"{shown} is stored as a sparse file", "Package again without --sparse (-S)", shown)


def _records(header: Header, content: bytes) -> dict[bytes, bytes]:
    """The records (`<length> <key>=<value>` and a newline) that change how a member is read."""
    records: dict[bytes, bytes] = {}
    position = 0
    while position < len(content):
        length = _RECORD_LENGTH.match(content, position)
        end = position + int(length[1]) if length else 0
        if not length or not length.end() < end <= len(content) or content[end - 1] != ord("\n"):
            raise _damaged(header, position)
        key, equals, value = content[length.end() : end - 1].partition(b"=")
        if not equals or not _KEY.fullmatch(key):
            raise _damaged(header, position)
        if key.startswith(_SPARSE_KEYS):
            records[_SPARSE] = b""
        if key in _HONOURED or key == _SPARSE_NAME:
            if records.get(key, value) != value:
                shown = display_name(header.name)
                raise ArchiveRejected(f"The extended header {shown} gives {display_name(key)} twice", REPACKAGE, shown)
            records[key] = value
        position = end
    return records


def _damaged(header: Header, position: int) -> ArchiveRejected:
    shown = display_name(header.name)
    return ArchiveRejected(f"The extended header {shown} is damaged at its byte {position}", REPACKAGE, shown)


def _size(values: bytes | None, header: Header) -> int:
    """The member's size in bytes. Raises ArchiveRejected if the record and the header field contradict each other: a
    reader that uses the field would read the file's content as members, or members as content."""
    if not values:
        return header.size
    shown = display_name(header.name)
    if not re.fullmatch(rb"[0-9]{1,20}", values):
        raise ArchiveRejected(f"The size of {shown} is not a number: {display_name(values)}", REPACKAGE, shown)
    size = int(values)
    if size != header.size and not _is_truncated_size(header.size, size):
        problem = f"{shown} has {size} bytes in its extended header and {header.size} bytes in its own header"
        raise ArchiveRejected(problem, REPACKAGE, shown)
    return size


def _is_truncated_size(field: int, size: int) -> bool:
    """Whether the size is too large for the field, and the field has a value that packagers write then: 0 (GNU tar,
    Python, Go), the largest number (bsdtar in strict mode), or the size's last eleven digits."""
    return size > _MAX_OCTAL_SIZE and field in (0, _MAX_OCTAL_SIZE, size % (_MAX_OCTAL_SIZE + 1))
