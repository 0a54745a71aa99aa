"""The layout of a packaged game: one top directory, with `game/` and the launcher directly inside it."""

from slipway.archive.archive_member import Kind, Member
from slipway.archive.archive_rejected import REPACKAGE, ArchiveRejected, display_name, repackage
from slipway.archive.path_tree import PathTree

_MAX_LISTED_SCRIPTS = 10
_APPLE_DOUBLE_PREFIX = "._"
_DS_STORE = ".DS_Store"


class PackageLayout:
    """Checks the layout member by member. `launcher` is a file name, or None to use the only executable `.sh` at
    the root."""

    def __init__(self, launcher: str | None) -> None:
        self._launcher = launcher
        self._top: str | None = None
        self._scripts: list[str] = []  # executable .sh files at the root, up to _MAX_LISTED_SCRIPTS
        self._plain_scripts: list[str] = []  # .sh files at the root that are not executable
        self._folder_settings = 0

    def check_location(self, path: str, *, is_directory: bool) -> None:
        """Reject a path outside the one top directory."""
        top, slash, _ = path.partition("/")
        name = path.rpartition("/")[2]
        shown = display_name(path)
        if name.startswith(_APPLE_DOUBLE_PREFIX) and not is_directory:
            raise ArchiveRejected(
                f"{shown} is a macOS metadata file, not part of the game",
                "Package without them on macOS: COPYFILE_DISABLE=1 tar czf game.tar.gz mygame",
                shown,
            )
        if not slash and not is_directory:
            raise ArchiveRejected(
                f"{shown} is at the top of the archive, outside the game's directory",
                f"Put the complete game into one directory. {REPACKAGE}",
                shown,
            )
        if self._top is None:
            self._top = top
        elif top != self._top:
            raise ArchiveRejected(
                f"{shown} is beside {display_name(self._top)}: an archive must have exactly one top directory",
                f"Put the complete game into one directory. {REPACKAGE}",
                shown,
            )
        if name == _DS_STORE:
            self._folder_settings += 1

    def check_member(self, member: Member) -> None:
        """Record launcher candidates, and reject a launcher that cannot be started."""
        _, _, name = member.path.partition("/")
        if not name or "/" in name:
            return
        if name == self._launcher:
            _check_launcher(member.path, member.kind, [])
        if name.endswith(".sh") and member.kind.is_file:
            found = self._scripts if member.kind is Kind.PROGRAM else self._plain_scripts
            if len(found) < _MAX_LISTED_SCRIPTS:
                found.append(name)

    def finish(self, tree: PathTree) -> tuple[str, str]:
        """Check the complete layout. Returns the top directory and the launcher. Raises ArchiveRejected."""
        if self._top is None:
            raise ArchiveRejected("The archive is empty", REPACKAGE)
        top = self._top
        game = tree.kind(f"{top}/game")
        if game is None or not game.is_directory:
            problem = f"{display_name(top)} has no game/ directory"
            raise ArchiveRejected(problem, f"Package the complete built game. {repackage(top)}")
        if self._launcher is None:
            return top, self._single_script(top)
        path = f"{top}/{self._launcher}"
        _check_launcher(path, tree.kind(path), self._scripts)
        return top, self._launcher

    def warnings(self) -> tuple[str, ...]:
        """Files that are harmless but do not belong in a game."""
        if not self._folder_settings:
            return ()
        found = f"{self._folder_settings} .DS_Store files (macOS) are in the archive"
        return (f"{found}; tar --exclude .DS_Store leaves them out",)

    def _single_script(self, top: str) -> str:
        if len(self._scripts) == 1:
            return self._scripts[0]
        if self._scripts:
            found = ", ".join(map(display_name, self._scripts))
            problem = f"{display_name(top)} has several executable .sh files at its root: {found}"
            remedy = "Name the launcher in the game's metadata, or keep one executable"
        elif self._plain_scripts:
            found = ", ".join(map(display_name, self._plain_scripts))
            problem = f"{display_name(top)} has no executable .sh file at its root. Not executable: {found}"
            remedy = f"chmod +x the launcher and package again. {repackage(top)}"
        else:
            problem = f"{display_name(top)} has no .sh file at its root that starts the game"
            remedy = f"Put the launcher there and make it executable (chmod +x). {repackage(top)}"
        raise ArchiveRejected(problem, remedy)


def _check_launcher(path: str, kind: Kind | None, scripts: list[str]) -> None:
    """Reject a launcher that cannot be started. `scripts` are the candidates to list if it is missing."""
    shown, top = display_name(path), path.partition("/")[0]
    if kind is Kind.PROGRAM:
        return
    if kind is None:
        instead = f"; at the root are {', '.join(map(display_name, scripts))}" if scripts else ""
        problem = f"is not in the archive{instead}"
        remedy = f"Put it at the root of {display_name(top)}, or change the launcher in the game's metadata"
    elif kind is Kind.FILE:
        problem, remedy = "is not executable", f"chmod +x {shown} and package again. {repackage(top)}"
    else:
        what = "a symbolic link" if kind is Kind.SYMLINK else "a directory"
        problem, remedy = f"is {what}, not a file", f"Put the script itself at the root of {display_name(top)}"
    raise ArchiveRejected(f"The launcher {shown} {problem}", remedy, shown)
