"""A member of an archive after every rule about it has been applied."""

import enum
from typing import NamedTuple


class Kind(enum.IntEnum):
    """What stands at a path."""

    IMPLIED_DIRECTORY = 0  # only named as the parent of another member
    DIRECTORY = 1
    FILE = 2
    PROGRAM = 3  # a file with an x bit
    SYMLINK = 4

    @property
    def is_directory(self) -> bool:
        return self <= Kind.DIRECTORY

    @property
    def is_file(self) -> bool:
        return self in (Kind.FILE, Kind.PROGRAM)


class Member(NamedTuple):
    """`path` is clean and relative. `size` in bytes, `mtime` in seconds or None.

    `target` is what a symlink says, or the clean path of the earlier file that a hard link is another name of
    (`hard_link`); else None.
    """

    path: str
    kind: Kind
    size: int
    mtime: int | None
    target: str | None = None
    hard_link: bool = False
