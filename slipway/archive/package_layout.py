"""The layout of a packaged game: one top directory, with `game/` and the launcher directly inside it."""

import shlex
import unicodedata
from itertools import combinations

from slipway.archive.archive_member import Kind, Member
from slipway.archive.archive_rejected import REPACKAGE, ArchiveRejected, display_name, package_from, repackage
from slipway.archive.name_differences import name_difference
from slipway.archive.packaging_tools import PackagingTools
from slipway.archive.path_tree import PathTree

_MAX_LISTED_SCRIPTS = 10
_MAX_INNER_GAMES = 16
_APPLE_DOUBLE_PREFIX = "._"
_DS_STORE = ".DS_Store"


class PackageLayout:
    """Checks the layout member by member. `launcher` is a file name, or None to use the only executable `.sh` at
    the root. macOS spells accents in its own way (NFD), so names are compared in NFC."""

    def __init__(self, launcher: str | None, tools: PackagingTools) -> None:
        self._launcher = launcher
        self._composed_launcher = unicodedata.normalize("NFC", launcher) if launcher else None
        self._found_launcher: str | None = None  # as the archive spells it
        self._tools = tools
        self._top: str | None = None
        self._scripts: list[str] = []  # executable .sh files at the root, up to _MAX_LISTED_SCRIPTS
        self._plain_scripts: list[tuple[str, int]] = []  # .sh files at the root that are not executable, their modes
        self._inner_games: dict[str, None] = {}  # directories below the top with a game/ of their own
        self._inner_launchers: set[str] = set()  # directories below the top that hold a file named as the launcher
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
            difference = name_difference(top, self._top)
            raise ArchiveRejected(
                f"{shown} is beside {display_name(self._top)}: an archive must have exactly one top directory"
                + (f". {difference}" if difference else ""),
                f"Put the complete game into one directory. {REPACKAGE}",
                shown,
            )
        if name == _DS_STORE:
            self._folder_settings += 1
        self._find_inner_game(path, name)

    def _find_inner_game(self, path: str, name: str) -> None:
        """Remember where a game may be that was packaged with the folders above it."""
        inner, game, _ = f"{path}/".partition("/game/")
        if game and "/" in inner and len(self._inner_games) < _MAX_INNER_GAMES:
            self._inner_games[inner] = None
        elif name == self._launcher and path.count("/") > 1 and len(self._inner_launchers) < _MAX_INNER_GAMES:
            self._inner_launchers.add(path.rpartition("/")[0])

    def check_member(self, member: Member) -> None:
        """Record launcher candidates, and reject a launcher that cannot be started."""
        _, _, name = member.path.partition("/")
        if not name or "/" in name:
            return
        if self._composed_launcher and unicodedata.normalize("NFC", name) == self._composed_launcher:
            self._check_launcher(member.path, member.kind)
            self._found_launcher = name
        if name.endswith(".sh") and member.kind is Kind.PROGRAM and len(self._scripts) < _MAX_LISTED_SCRIPTS:
            self._scripts.append(name)
        if name.endswith(".sh") and member.kind is Kind.FILE and len(self._plain_scripts) < _MAX_LISTED_SCRIPTS:
            self._plain_scripts.append((name, self._tools.mode))

    def finish(self, tree: PathTree) -> tuple[str, str]:
        """Check the complete layout. Returns the top directory and the launcher, as the archive spells it. Raises
        ArchiveRejected."""
        if self._top is None:
            raise ArchiveRejected("The archive is empty", REPACKAGE)
        top = self._top
        game = tree.kind(f"{top}/game")
        if game is None or not game.is_directory:
            raise self._no_game_directory(top)
        if self._launcher is None:
            return top, self._single_script(top)
        if self._found_launcher is None:
            path = f"{top}/{self._launcher}"
            self._check_launcher(path, tree.kind(path))
        return top, self._found_launcher or self._launcher

    def _no_game_directory(self, top: str) -> ArchiveRejected:
        problem = f"{display_name(top)} has no game/ directory"
        if not self._inner_games:
            return ArchiveRejected(problem, f"Package the complete built game. {repackage(top)}")
        inner = min(self._inner_games, key=lambda path: (path not in self._inner_launchers, path.count("/")))
        above, _, name = inner.rpartition("/")
        absolute = f"or with -C {shlex.quote(f'/{above}')}, if you packaged an absolute path"
        return ArchiveRejected(
            f"{problem}. The game is in {display_name(inner)}", f"{package_from(above, name)} ({absolute})"
        )

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
            problem += _differences(self._scripts)
            remedy = "Name the launcher in the game's metadata, or keep one executable"
        elif self._plain_scripts:
            found = ", ".join(display_name(name) for name, _ in self._plain_scripts)
            problem = f"{display_name(top)} has no executable .sh file at its root. Not executable: {found}"
            name, mode = self._plain_scripts[0]
            remedy = self._tools.make_executable(f"{top}/{name}", mode)
        else:
            problem = f"{display_name(top)} has no .sh file at its root that starts the game"
            remedy = f"Put the launcher there and make it executable (chmod +x). {repackage(top)}"
        raise ArchiveRejected(problem, remedy)

    def _check_launcher(self, path: str, kind: Kind | None) -> None:
        """Reject a launcher that is missing or is not an executable file."""
        shown, top = display_name(path), path.partition("/")[0]
        if kind is Kind.PROGRAM:
            return
        if kind is None:
            problem, remedy = f"is not in the archive{self._other_scripts()}", _put_launcher(top)
        elif kind is Kind.FILE:
            problem, remedy = "is not executable", self._tools.make_executable(path, self._tools.mode)
        else:
            what = "a symbolic link" if kind is Kind.SYMLINK else "a directory"
            problem, remedy = f"is {what}, not a file", f"Put the script itself at the root of {display_name(top)}"
        raise ArchiveRejected(f"The launcher {shown} {problem}", remedy, shown)

    def _other_scripts(self) -> str:
        """What to add to the message about a missing launcher: the scripts that could be meant."""
        found = [*self._scripts, *(name for name, _ in self._plain_scripts)]
        if not found:
            return ""
        differences = (name_difference(self._launcher or "", name) for name in found)
        difference = next(filter(None, differences), "")
        return f"; at the root are {', '.join(map(display_name, found))}" + (f". {difference}" if difference else "")


def _put_launcher(top: str) -> str:
    return f"Put it at the root of {display_name(top)}, or change the launcher in the game's metadata"


def _differences(names: list[str]) -> str:
    found = filter(None, (name_difference(one, other) for one, other in combinations(names, 2)))
    difference = next(found, "")
    return f". {difference}" if difference else ""
