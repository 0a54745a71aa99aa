"""Rules for paths in an archive."""

import re

from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.archive_rejected import REPACKAGE, ArchiveRejected, display_name, package_from
from slipway.archive.invisible_characters import INVISIBLE

_UNTIDY = re.compile(r"(?:^|/)\.{0,2}(?:/|$)")  # an empty, "." or ".." segment
_FROM_ABOVE = "Package from the folder above the game, with a relative name: tar czf game.tar.gz mygame"


def decode_name(raw: bytes, owner: bytes) -> str:
    """The text of a name or of a link's target. Raises ArchiveRejected, naming the member `owner`."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise _refused(
            owner,
            "has a name that is not UTF-8",
            "Convert the names and package again: convmv -r -f latin1 -t utf8 --notest mygame",
        ) from None
    invisible = INVISIBLE.search(text)
    if invisible:
        problem = f"has an invisible character (U+{ord(invisible.group()):04X}) in its name"
        raise _refused(owner, problem, "Rename it and package the game again")
    if "\\" in text:
        remedy = "Rename it, or package the game on Linux, where / separates directories"
        raise _refused(owner, "has a backslash in its name", remedy)
    return text


def parse_member_path(raw: bytes, owner: bytes, limits: ArchiveLimits) -> str:
    """A member's path without "./" and without doubled or trailing slashes; "" is the directory to unpack into.

    Raises ArchiveRejected, naming `owner`.
    """
    text = decode_name(raw, owner)
    if not text:
        raise ArchiveRejected("A member has an empty name", REPACKAGE, display_name(owner))
    if text[0] == "/":
        raise _refused(owner, "is an absolute path", _from_above(text))
    if _UNTIDY.search(text):
        segments = [segment for segment in text.split("/") if segment not in ("", ".")]
        if ".." in segments:
            raise _refused(owner, 'has ".." in its path', _from_above(text))
        text = "/".join(segments)
    check_path_length(text, owner, limits)
    return text


def _from_above(path: str) -> str:
    """A sentence with the command to use instead. The first member is usually the directory that was packaged."""
    above, _, name = path.rstrip("/").rpartition("/")
    if not path.endswith("/") or name in ("", ".", ".."):
        return _FROM_ABOVE
    return package_from(above or "/", name)


def check_path_length(path: str, owner: bytes, limits: ArchiveLimits) -> None:
    """Reject a path that is too long, is too deep, or has a segment that is too long."""
    size, depth = len(path.encode()), path.count("/") + 1
    if size > limits.path_bytes:
        problem = f"has a path of {size} bytes; {limits.path_bytes} are allowed"
    elif depth > limits.depth:
        problem = f"is {depth} folders deep; {limits.depth} are allowed"
    else:
        longest = size if size <= limits.name_bytes else max(len(name.encode()) for name in path.split("/"))
        if longest <= limits.name_bytes:
            return
        problem = f"has a name of {longest} bytes in its path; {limits.name_bytes} are allowed"
    raise _refused(owner, problem, "Shorten it and package the game again")


def _refused(owner: bytes, problem: str, remedy: str) -> ArchiveRejected:
    shown = display_name(owner)
    return ArchiveRejected(f"{shown} {problem}", remedy, shown)
