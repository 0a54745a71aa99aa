"""A member of an archive that has passed the rules."""

import enum
from typing import NamedTuple


class Kind(enum.IntEnum):
    """The kind of entry at a path."""

    IMPLIED_DIRECTORY = 0  # appears only in the path of another member
    DIRECTORY = 1
    FILE = 2
    PROGRAM = 3  # a file with an execute bit
    SYMLINK = 4

    @property
    def is_directory(self) -> bool:
        return self <= Kind.DIRECTORY

    @property
    def is_file(self) -> bool:
        return self in (Kind.FILE, Kind.PROGRAM)


class Member(NamedTuple):
    """`path` is clean and relative; `size` is in bytes, `mtime` in seconds since 1970 or None.

    `target` is the target of a symlink, or with `hard_link` the clean path of the earlier file that it links to; else
    None.
    """

    path: str
    kind: Kind
    size: int
    mtime: int | None
    target: str | None = None
    hard_link: bool = False
