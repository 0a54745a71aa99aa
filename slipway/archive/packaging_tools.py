"""Which program made an archive, and what to do with that program.

Nothing in a tar names its program, but the programs fill the unused parts of a header in their own ways. A wrong guess
only makes a remedy less fitting.
"""

import enum
import shlex

_GZIP_FLAGS_AT, _GZIP_SYSTEM_AT = 3, 9
_FILE_NAME_FLAG = 0x08
_UNKNOWN_SYSTEM = 255
# The parts of Header.style (slipway/archive/tar/tar_header.py).
_MAGIC, _OWNER, _DEVICE, _SIZE_END = slice(0, 8), 8, 9, 10
_GNU_MAGIC, _POSIX_MAGIC = b"ustar  \0", b"ustar\x0000"
_NUL, _SPACE = 0, ord(" ")
_STYLE_BYTES = 11
# Windows has no execute bits: programs report files as readable, and writable or not.
_WINDOWS_MODES = (0o666, 0o444)


class Tool(enum.Enum):
    """A packaging program. The value completes "made with …"."""

    GNU_TAR = "GNU tar"
    BSDTAR = "bsdtar"
    SEVEN_ZIP = "7-Zip"
    PYTHON = "Python"
    UNKNOWN = "an unknown program"


def tool_of(gzip_head: bytes, style: bytes) -> Tool:
    """The program that writes such a gzip header (its first 10 bytes) and such tar headers (Header.style)."""
    if len(style) < _STYLE_BYTES:
        return Tool.UNKNOWN
    magic, with_owner, with_device = style[_MAGIC], style[_OWNER] != _NUL, style[_DEVICE] != _NUL
    if magic == _POSIX_MAGIC and style[_SIZE_END] == _SPACE:
        return Tool.BSDTAR
    has_file_name = len(gzip_head) > _GZIP_FLAGS_AT and bool(gzip_head[_GZIP_FLAGS_AT] & _FILE_NAME_FLAG)
    is_python_gzip = len(gzip_head) > _GZIP_SYSTEM_AT and gzip_head[_GZIP_SYSTEM_AT] == _UNKNOWN_SYSTEM
    if magic == _POSIX_MAGIC and not with_device:
        return Tool.PYTHON
    if magic == _GNU_MAGIC and is_python_gzip:
        return Tool.PYTHON
    if magic in (_GNU_MAGIC, _POSIX_MAGIC) and not with_owner and has_file_name:
        return Tool.SEVEN_ZIP
    if magic == _GNU_MAGIC or (magic == _POSIX_MAGIC and not is_python_gzip):
        return Tool.GNU_TAR
    return Tool.UNKNOWN


class PackagingTools:
    """The program that made the archive being read."""

    def __init__(self) -> None:
        self.gzip_head = b""
        self._style = b""
        self.mode = 0
        """The mode of the current member."""

    def see(self, style: bytes, mode: int) -> None:
        """The current member has this style of header and this mode."""
        self._style = style
        self.mode = mode

    @property
    def tool(self) -> Tool:
        return tool_of(self.gzip_head, self._style)

    def package_again(self, top: str) -> str:
        """A command that packages the directory `top` with this program."""
        folder = shlex.quote(top)
        if self.tool is Tool.BSDTAR:
            return f"bsdtar -czf game.tar.gz {folder}"
        if self.tool is Tool.SEVEN_ZIP:
            return f"7z a -ttar game.tar {folder} && 7z a game.tar.gz game.tar"
        if self.tool is Tool.PYTHON:
            return f"python3 -m tarfile -c game.tar.gz {folder}"
        return f"tar czf game.tar.gz {folder}"

    def make_executable(self, path: str, mode: int) -> str:
        """A sentence: how the file gets its execute bit in an archive of this program. `mode`: what it has now."""
        quoted, top = shlex.quote(path), path.partition("/")[0]
        if mode & 0o777 in _WINDOWS_MODES:
            return (
                f"Windows has no execute bits, so {self._name()} on Windows cannot store one. Package on Linux or "
                f"macOS, or in WSL: wsl chmod +x {quoted} && wsl tar czf game.tar.gz {shlex.quote(top)}"
            )
        return f"Make it executable and package again: chmod +x {quoted} && {self.package_again(top)}"

    def _name(self) -> str:
        return "tar" if self.tool in (Tool.BSDTAR, Tool.UNKNOWN) else self.tool.value


def without_sparse(style: bytes) -> str:
    """A sentence: how to package files with holes as ordinary files."""
    if tool_of(b"", style) is Tool.BSDTAR:
        return "Package again with bsdtar --no-read-sparse -czf game.tar.gz mygame"
    return "Package again without --sparse (-S)"
