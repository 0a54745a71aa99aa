"""Checks whether a game can be started: the launcher's text, and the programs that launchers run.

What can never start is rejected. What may not start is a warning.
"""

import re
import shlex
import unicodedata

from slipway.archive.archive_member import Kind, Member
from slipway.archive.archive_rejected import ArchiveRejected, display_name
from slipway.archive.packaging_tools import PackagingTools

_MAX_LAUNCHER_BYTES = 16 * 2**10  # read of each script; launchers have some 5 KiB
_MAX_SCRIPTS = 10
_MAGIC_BYTES = 4
_MAX_LISTED_PROGRAMS = 5
_ELF, _SCRIPT, _WINDOWS_PROGRAM = b"\x7fELF", b"#!", b"MZ"
_UTF8_MARK, _UTF16_MARKS = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")
_SHARED_LIBRARY = re.compile(r"\.so(\.[0-9.]+)?$")
_PROGRAM_DEPTH = 3  # slashes in mygame/lib/py3-linux-x86_64/mygame


class StartChecks:
    """Reads the beginnings of the scripts at the root and of the programs in `lib/*/`. `launcher`: the script's name,
    or None if only finish() tells it."""

    def __init__(self, launcher: str | None, tools: PackagingTools) -> None:
        self._launcher = unicodedata.normalize("NFC", launcher) if launcher else None
        self._tools = tools
        self._scripts: dict[str, bytes] = {}  # path: its beginning
        self._member: Member | None = None
        self._head = bytearray()
        self._wanted = 0  # bytes of the current member that are still to be read
        self._mode = 0
        self._programs: list[tuple[str, int]] = []  # paths and modes of programs without an execute bit
        self._more_programs = 0

    def begin(self, member: Member, mode: int) -> None:
        """The next member. Raises ArchiveRejected if the last one was a launcher that can never start."""
        self._end_member()
        self._member, self._mode = member, mode
        if self._is_script(member):
            target = self._scripts.get(member.target or "", b"") if member.hard_link else b""
            self._head += target
            self._wanted = 0 if member.hard_link else _MAX_LAUNCHER_BYTES
        elif _may_be_program(member):
            self._wanted = _MAGIC_BYTES

    @property
    def bytes_wanted(self) -> int:
        """How many bytes of the current member are still to be read."""
        return self._wanted

    def content(self, data: memoryview) -> None:
        """The next bytes of the member."""
        if self._wanted:
            self._head += data[: self._wanted]
            self._wanted = max(0, self._wanted - len(data))

    def finish(self, launcher_path: str) -> tuple[str, ...]:
        """The warnings of a complete archive with this launcher. Raises ArchiveRejected."""
        self._end_member()
        head = self._scripts.get(launcher_path)
        if head is None:  # a hard link to a file elsewhere, which was not read
            return self._program_warnings(launcher_path)
        self._check_launcher(launcher_path, head)
        return (*_launcher_warnings(launcher_path, head), *self._program_warnings(launcher_path))

    def _is_script(self, member: Member) -> bool:
        _, _, name = member.path.partition("/")
        if not name.endswith(".sh") or "/" in name or member.kind is not Kind.PROGRAM:
            return False
        if member.hard_link and (member.target or "") not in self._scripts:
            return False
        return len(self._scripts) < _MAX_SCRIPTS or self._is_launcher(name)

    def _is_launcher(self, name: str) -> bool:
        return self._launcher is not None and unicodedata.normalize("NFC", name) == self._launcher

    def _end_member(self) -> None:
        member, head = self._member, bytes(self._head)
        if member is None:
            return
        self._member, self._wanted = None, 0
        self._head.clear()
        if self._is_script(member):
            self._scripts[member.path] = head
            if self._is_launcher(member.path.partition("/")[2]):
                self._check_launcher(member.path, head)
        elif _may_be_program(member) and self._is_program(member.path, head):
            if len(self._programs) < _MAX_LISTED_PROGRAMS:
                self._programs.append((member.path, self._mode))
            else:
                self._more_programs += 1

    def _is_program(self, path: str, head: bytes) -> bool:
        name = path.rpartition("/")[2]
        if head.startswith(_ELF):
            return not _SHARED_LIBRARY.search(name)
        # Modules of Python's library begin with #! too, but their names have a suffix.
        return head.startswith(_SCRIPT) and ("." not in name or f"{name}.sh" == self._launcher)

    def _check_launcher(self, path: str, head: bytes) -> None:
        shown = display_name(path)
        again = self._tools.package_again(path.partition("/")[0])
        first_line = head.partition(b"\n")[0]
        if not head.strip():
            problem, remedy = "is empty", "Export the game again and package the complete result"
        elif head.startswith(_UTF16_MARKS):
            problem = "is saved as UTF-16, which no shell can read"
            remedy = f"Save it as UTF-8 with Unix line ends and package again: {again}"
        elif head.startswith(_WINDOWS_PROGRAM):
            problem = "is a Windows program"
            remedy = "Build the game for Linux, and name the script that starts it there as the launcher"
        elif head.startswith(_SCRIPT) and first_line.endswith(b"\r"):
            problem = "has Windows line ends (CRLF), so a session would end with exit status 127"
            remedy = f"Convert it and package again: {_to_unix(path)} && {again}"
        elif b"\0" in first_line and not head.startswith(_ELF):
            problem = "is not a script: its first line has a NUL byte"
            remedy = f"Put the script that starts the game in its place and package again: {again}"
        else:
            return
        raise ArchiveRejected(f"The launcher {shown} {problem}", remedy, shown)

    def _program_warnings(self, launcher_path: str) -> tuple[str, ...]:
        launcher = display_name(launcher_path)
        found = [
            f"{display_name(path)} is a program without an execute bit. If {launcher} runs it, a session ends with "
            f"exit status 126. {self._tools.make_executable(path, mode)}"
            for path, mode in self._programs
        ]
        if self._more_programs:
            found.append(f"{self._more_programs} more programs in lib/ have no execute bit")
        return tuple(found)


def _may_be_program(member: Member) -> bool:
    parts = member.path.split("/", 2)
    return (
        member.kind is Kind.FILE
        and not member.hard_link
        and len(parts) > 1
        and parts[1] == "lib"
        and member.path.count("/") == _PROGRAM_DEPTH
    )


def _launcher_warnings(path: str, head: bytes) -> tuple[str, ...]:
    if head.startswith(_ELF):
        return ()
    shown, found = display_name(path), []
    if head.startswith(_UTF8_MARK):
        found.append(
            f"The launcher {shown} begins with a byte order mark, so its first line is not read. Save it as UTF-8 "
            "without one (BOM)"
        )
    elif not head.startswith(_SCRIPT):
        found.append(
            f"The launcher {shown} does not begin with #!, so only a shell can start it. Begin it with #!/bin/sh"
        )
    crlf = head.find(b"\r\n")
    if crlf >= 0:
        line = head.count(b"\n", 0, crlf) + 1
        found.append(
            f"The launcher {shown} has Windows line ends (CRLF) in line {line}, so a session may end with exit status "
            f"127. Convert it: {_to_unix(path)}"
        )
    return tuple(found)


def _to_unix(path: str) -> str:
    return f"sed -i 's/\\r$//' {shlex.quote(path)}"
