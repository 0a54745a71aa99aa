"""The rules for members of a game's archive."""

from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.archive_member import Kind, Member
from slipway.archive.archive_rejected import REPACKAGE, ArchiveRejected, display_name
from slipway.archive.link_targets import hard_link_target, symlink_target
from slipway.archive.member_names import parse_member_path
from slipway.archive.package_layout import PackageLayout
from slipway.archive.packaging_tools import PackagingTools
from slipway.archive.path_tree import PathTree
from slipway.archive.tar.tar_header import OLD_GNU_SPARSE, Header

_FILE_TYPES = (b"0", b"\0", b"7")  # "7" is a contiguous file, which all readers treat as a regular file
_HARD_LINK, _SYMLINK, _DIRECTORY = b"1", b"2", b"5"
_REFUSED_TYPES = {
    b"3": "a character device",
    b"4": "a block device",
    b"6": "a FIFO (named pipe)",
    b"D": "part of an incremental backup",
    b"M": "part of a multi-volume archive",
    b"V": "a volume label",
}
_SET_ID_BITS = 0o6000
_EXECUTE_BITS = 0o111


class MemberRules:
    """Checks members in the order they arrive. Memory is bounded by the number of members allowed."""

    def __init__(self, limits: ArchiveLimits, launcher: str | None) -> None:
        self._limits = limits
        self._tree = PathTree()
        self.tools = PackagingTools()
        self._packaging = PackageLayout(launcher, self.tools)
        self.members = 0

    def admit(self, header: Header) -> Member | None:
        """Check the next member. Returns None for "./", which adds nothing. Raises ArchiveRejected."""
        self.tools.see(header.style, header.mode)
        path = parse_member_path(header.name, header.name, self._limits)
        self._check_type(header)
        self._check_mode(header)
        self.members += 1
        if not path:
            self._check_budget(header)
            self._only_a_directory(header)
            return None
        self._packaging.check_location(path, is_directory=_is_directory(header))
        member = self._to_member(path, header)
        self._packaging.check_member(member)
        self._tree.add(path, member.kind)
        self._check_budget(header)
        return member

    def finish(self) -> tuple[str, str]:
        """Check the complete archive. Returns the top directory and the launcher. Raises ArchiveRejected."""
        return self._packaging.finish(self._tree)

    def warnings(self) -> tuple[str, ...]:
        """Findings that do not reject the archive."""
        return self._packaging.warnings() + self._tree.warnings()

    def _check_type(self, header: Header) -> None:
        kind, shown = header.typeflag, header.name
        if shown.endswith((b"/", b"/.")) and not _is_directory(header):
            raise _refused(shown, "is a file or link with the name of a directory", REPACKAGE)
        if header.real_size is not None and (_is_directory(header) or kind not in (*_FILE_TYPES, OLD_GNU_SPARSE)):
            raise _refused(shown, "is a directory or link that is stored as a sparse file", REPACKAGE)
        if kind in _FILE_TYPES:
            if header.size and header.name.endswith(b"/"):
                raise _refused(shown, "is a directory that contains data", REPACKAGE)
        elif kind in (_HARD_LINK, _SYMLINK, _DIRECTORY):
            if header.size:
                raise _refused(shown, "is a directory or link that contains data", REPACKAGE)
        elif kind != OLD_GNU_SPARSE:
            what = _REFUSED_TYPES.get(kind, f"of an unknown type ({display_name(kind)})")
            raise _refused(shown, f"is {what}", f"Only files, directories and links are accepted. {REPACKAGE}")

    def _check_mode(self, header: Header) -> None:
        if header.mode & _SET_ID_BITS and header.typeflag != _SYMLINK:
            remedy = "Clear the bits and package the game again: chmod -R u-s,g-s mygame"
            raise _refused(header.name, f"has its setuid or setgid bit set (mode {header.mode & 0o7777:04o})", remedy)

    def _check_budget(self, header: Header) -> None:
        if max(self.members, len(self._tree)) > self._limits.members:
            problem = f"is one member more than the limit of {self._limits.members}"
            raise _refused(header.name, problem, "Pack small files together, into .rpa archives for example")

    def _only_a_directory(self, header: Header) -> None:
        if not _is_directory(header):
            raise _refused(header.name, "is not a directory", REPACKAGE)

    def _to_member(self, path: str, header: Header) -> Member:
        if _is_directory(header):
            return Member(path, Kind.DIRECTORY, 0, header.mtime)
        if header.typeflag == _SYMLINK:
            target = symlink_target(path, header.linkname, header.name, self._limits)
            return Member(path, Kind.SYMLINK, 0, header.mtime, target)
        if header.typeflag == _HARD_LINK:
            target, kind = hard_link_target(path, header.linkname, header.name, self._tree, self._limits)
            return Member(path, kind, 0, header.mtime, target, hard_link=True)
        kind = Kind.PROGRAM if header.mode & _EXECUTE_BITS else Kind.FILE
        return Member(path, kind, header.file_size, header.mtime)


def _is_directory(header: Header) -> bool:
    """v7 tars have no type for directories and mark them with a trailing slash."""
    return header.typeflag == _DIRECTORY or (header.typeflag in _FILE_TYPES and header.name.endswith(b"/"))


def _refused(name: bytes, problem: str, remedy: str) -> ArchiveRejected:
    shown = display_name(name)
    return ArchiveRejected(f"{shown} {problem}", remedy, shown)
