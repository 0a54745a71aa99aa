"""Writing members to disk so that nothing is written outside the directory, even if a rule has a gap.

Each step of a path is opened relative to the directory above it, without following links (O_NOFOLLOW), and each file
must be new (O_EXCL). A symbolic link in a path is therefore an error, wherever it points. Steps that are not plain
names are rejected once more.
"""

import errno
import os
from pathlib import Path

from slipway.archive.archive_member import Kind, Member
from slipway.closing_context import ClosingContext
from slipway.disk_errors import error_at

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY_MODE, _FILE_MODE, _PROGRAM_MODE = 0o755, 0o644, 0o755
_MAX_MTIME = 2**33  # year 2242; some file systems reject later times


class TreeWriter(ClosingContext):
    """A MemberSink (slipway/archive/inspection.py) that writes to disk. It keeps the directories of the current
    path open. Every OSError names the complete path."""

    def __init__(self, into: Path) -> None:
        """Raises FileExistsError if `into` is not empty, OSError if it is not a directory or is a link."""
        self._into = self._path = into
        self._root = os.open(into, _DIRECTORY)
        self._names: list[str] = []
        self._chain = [self._root]  # one longer than _names
        self._file: int | None = None
        self._mtime: int | None = None
        self._size: int | None = None  # of a file with holes
        with os.scandir(self._root) as entries:
            found = next(entries, None)
        if found:
            self.close()
            raise FileExistsError(f"{into} is not empty: it holds {found.name}")

    def begin(self, member: Member) -> None:
        """Create the member. A file's content follows through content()."""
        self.finish()
        self._path = self._into / member.path
        with error_at(self._path):
            self._create(member)

    def _create(self, member: Member) -> None:
        *above, name = steps = _steps(member.path)
        if member.kind is Kind.DIRECTORY:
            self._open_directory(steps)
            return
        directory = self._open_directory(above)
        if member.kind is Kind.SYMLINK:
            os.symlink(member.target or "", name, dir_fd=directory)
        elif member.hard_link:
            self._link(member.target or "", name, directory)
        else:
            self._file = os.open(name, _NEW_FILE, 0o600, dir_fd=directory)
            self._mtime = member.mtime
            # fchmod, because the umask would clear bits of a mode passed to open().
            os.fchmod(self._file, _PROGRAM_MODE if member.kind is Kind.PROGRAM else _FILE_MODE)

    def content(self, data: memoryview) -> None:
        """Write the next bytes of the file that begin() created last."""
        assert self._file is not None, "content without a file"
        with error_at(self._path):
            while data:
                data = data[os.write(self._file, data) :]

    def hole(self, size: int) -> None:
        """Leave out the next bytes of the file. They read as zeros and take no space on disk."""
        assert self._file is not None, "a hole without a file"
        with error_at(self._path):
            self._size = os.lseek(self._file, size, os.SEEK_CUR)

    def finish(self) -> None:
        """Finish the last member."""
        with error_at(self._path):
            self._close_file()

    def close(self) -> None:
        """Close every open file and directory, in any state."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        while self._chain:
            os.close(self._chain.pop())

    def _close_file(self) -> None:
        if self._file is None:
            return
        if self._size is not None:
            # A hole at the end has not made the file longer yet.
            os.ftruncate(self._file, max(self._size, os.lseek(self._file, 0, os.SEEK_CUR)))
            self._size = None
        if self._mtime is not None:
            mtime = min(max(self._mtime, 0), _MAX_MTIME)
            os.utime(self._file, (mtime, mtime))
        done, self._file = self._file, None
        os.close(done)

    def _open_directory(self, names: list[str]) -> int:
        """The descriptor of the directory at this path. Missing directories are created."""
        shared = 0
        while shared < min(len(names), len(self._names)) and names[shared] == self._names[shared]:
            shared += 1
        while len(self._names) > shared:
            self._names.pop()
            os.close(self._chain.pop())
        for name in names[shared:]:
            self._chain.append(_open_or_make(name, self._chain[-1]))
            self._names.append(name)
        return self._chain[-1]

    def _link(self, target: str, name: str, directory: int) -> None:
        *above, target_name = _steps(target)
        opened: list[int] = []
        try:
            for step in above:
                opened.append(os.open(step, _DIRECTORY, dir_fd=opened[-1] if opened else self._root))
            source = opened[-1] if opened else self._root
            os.link(target_name, name, src_dir_fd=source, dst_dir_fd=directory, follow_symlinks=False)
        finally:
            for fd in opened:
                os.close(fd)


def _steps(path: str) -> list[str]:
    names = path.split("/")
    if not {"", ".", ".."}.isdisjoint(names):
        raise PermissionError(errno.EPERM, "not the path of a member", path)
    return names


def _open_or_make(name: str, parent: int) -> int:
    try:
        return os.open(name, _DIRECTORY, dir_fd=parent)
    except FileNotFoundError:
        os.mkdir(name, _DIRECTORY_MODE, dir_fd=parent)
    made = os.open(name, _DIRECTORY, dir_fd=parent)
    os.fchmod(made, _DIRECTORY_MODE)  # as above, because of the umask
    return made
