"""Rules for link targets: they must be inside the game's own directory."""

import unicodedata

from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.archive_member import Kind
from slipway.archive.archive_rejected import ArchiveRejected, display_name
from slipway.archive.member_names import check_path_length, decode_name, parse_member_path
from slipway.archive.path_tree import PathTree


def symlink_target(path: str, raw: bytes, owner: bytes, limits: ArchiveLimits) -> str:
    """The target of a symbolic link, checked to stay inside the top directory. Raises ArchiveRejected.

    Parents of members are never symlinks (slipway/archive/path_tree.py), so leading ".." steps climb real directories,
    and every step down leads into a directory or along another link that was checked in the same way. A ".." after a
    name would climb from the place that the name points to, so it is rejected.
    """
    shown = display_name(owner)
    target = decode_name(raw, owner)
    inside = f"Use a relative link that stays inside {display_name(path.partition('/')[0])}"
    if not target:
        raise ArchiveRejected(f"The symbolic link {shown} has an empty target", "Remove it", shown)
    if target[0] == "/":
        raise ArchiveRejected(f"{shown} points to the absolute path {display_name(target)}", inside, shown)
    level = path.count("/")  # folders above the link; 1 is the top directory
    steps = [step for step in target.split("/") if step not in ("", ".")]
    for step in steps:
        level += -1 if step == ".." else 1
        if level < 1:
            raise ArchiveRejected(f"{shown} points outside the archive, to {display_name(target)}", inside, shown)
    if ".." in steps[steps.count("..") :]:
        raise ArchiveRejected(f'{shown} points to {display_name(target)}, with ".." after a name', inside, shown)
    check_path_length(target, owner, limits)
    return target


def hard_link_target(path: str, raw: bytes, owner: bytes, tree: PathTree, limits: ArchiveLimits) -> tuple[str, Kind]:
    """The clean path and kind of the file that a hard link points to. Raises ArchiveRejected."""
    shown = display_name(owner)
    target = parse_member_path(raw, owner, limits)
    top = path.partition("/")[0]
    if target.partition("/")[0] != top:
        raise ArchiveRejected(
            f"The hard link {shown} points outside {display_name(top)}, to {display_name(target)}",
            "Package with --hard-dereference, which stores a copy",
            shown,
        )
    kind = tree.kind(target)
    if kind is None or not kind.is_file:
        missing = f"is not in the archive before it{_other_spelling(target, tree)}" if kind is None else "is not a file"
        raise ArchiveRejected(
            f"The hard link {shown} points to {display_name(target)}, which {missing}",
            "Package with --hard-dereference, which stores a copy",
            shown,
        )
    return target, kind


def _other_spelling(path: str, tree: PathTree) -> str:
    """What to add to a message about a missing path, if it is there with other accents."""
    spellings = (unicodedata.normalize(form, path) for form in ("NFC", "NFD"))
    if all(tree.kind(spelling) is None for spelling in spellings):
        return ""
    return ". A file before it differs only in how its accents are encoded (Unicode NFC and NFD)"
