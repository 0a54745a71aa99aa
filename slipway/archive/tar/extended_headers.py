"""Headers that describe the next member: PAX records (POSIX.1-2001) and GNU long names.

If two of them describe the same member, programs disagree on which one counts. Such an archive is rejected.
"""

import re

from slipway.archive.archive_rejected import REPACKAGE, ArchiveRejected, display_name
from slipway.archive.packaging_tools import without_sparse
from slipway.archive.tar.tar_header import Header

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
_SPARSE_NAME, _SPARSE_SIZE = b"GNU.sparse.name", b"GNU.sparse.realsize"
# The form that bsdtar and GNU tar write today: exactly these records, and the map in front of the content.
_SPARSE_1_0 = {b"GNU.sparse.major": b"1", b"GNU.sparse.minor": b"0"}
_SPARSE_1_0_KEYS = frozenset((*_SPARSE_1_0, _SPARSE_NAME, _SPARSE_SIZE))
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
        own, values = self._next, {**self._global, **self._next}
        self._next, self._seen = {}, set()
        if any(key.startswith(_SPARSE_KEYS) for key in values):
            # Other forms, a map that counts for several members, and a member with two maps.
            is_global = any(key.startswith(_SPARSE_KEYS) for key in self._global)
            if is_global or not _is_sparse_1_0(own) or header.real_size is not None:
                raise _sparse_rejected(values, header)
            header = _sparse_header(own, header)
            values.pop(b"path", None)
        # An empty value removes a global one (POSIX): the member's own header applies again.
        named = header._replace(
            name=values.get(b"path") or header.name, linkname=values.get(b"linkpath") or header.linkname
        )
        return named._replace(size=_size(values.get(b"size"), named))


def _is_sparse_1_0(values: dict[bytes, bytes]) -> bool:
    found = {key for key in values if key.startswith(_SPARSE_KEYS)}
    return found == _SPARSE_1_0_KEYS and all(values[key] == value for key, value in _SPARSE_1_0.items())


def _sparse_header(values: dict[bytes, bytes], header: Header) -> Header:
    """The header of a sparse member. Its real name is not in `path`, which is the name for programs that do not know
    the form."""
    name = values[_SPARSE_NAME]
    return header._replace(name=name, real_size=_number(values[_SPARSE_SIZE], name))


def _sparse_rejected(values: dict[bytes, bytes], header: Header) -> ArchiveRejected:
    shown = display_name(values.get(_SPARSE_NAME) or values.get(b"path") or header.name)
    return ArchiveRejected(
        f"{shown} is stored as a sparse file in a form that is not accepted", without_sparse(header.style), shown
    )


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
        if key in _HONOURED or key in _SPARSE_1_0_KEYS:
            if records.get(key, value) != value:
                shown = display_name(header.name)
                raise ArchiveRejected(f"The extended header {shown} gives {display_name(key)} twice", REPACKAGE, shown)
            records[key] = value
        elif key.startswith(_SPARSE_KEYS):
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
    size = _number(values, header.name)
    shown = display_name(header.name)
    if size != header.size and not _is_truncated_size(header.size, size):
        problem = f"{shown} has {size} bytes in its extended header and {header.size} bytes in its own header"
        raise ArchiveRejected(problem, REPACKAGE, shown)
    return size


def _number(value: bytes, name: bytes) -> int:
    if not re.fullmatch(rb"[0-9]{1,20}", value):
        shown = display_name(name)
        raise ArchiveRejected(f"The size of {shown} is not a number: {display_name(value)}", REPACKAGE, shown)
    return int(value)


def _is_truncated_size(field: int, size: int) -> bool:
    """Whether the size is too large for the field, and the field has a value that packagers write then: 0 (GNU tar,
    Python, Go), the largest number (bsdtar in strict mode), or the size's last eleven digits."""
    return size > _MAX_OCTAL_SIZE and field in (0, _MAX_OCTAL_SIZE, size % (_MAX_OCTAL_SIZE + 1))
