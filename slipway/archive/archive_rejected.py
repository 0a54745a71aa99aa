"""The error of this package, and how its messages show the names of members."""

import shlex

from slipway.archive.invisible_characters import escape_invisible

_MAX_DISPLAY_LENGTH = 160


class ArchiveRejected(Exception):
    """An archive breaks a rule.

    `problem` is one sentence that names the member, if there is one. `remedy` is one sentence about what to do.
    `member` is the displayable name of the member, or None. `str()` is both sentences.
    """

    def __init__(self, problem: str, remedy: str, member: str | None = None) -> None:
        super().__init__(f"{problem}. {remedy}.")
        self.problem = problem
        self.remedy = remedy
        self.member = member


def display_name(name: str | bytes) -> str:
    """A name for use in a message: on one line, shortened, with invisible characters and double quotes escaped. A name
    with spaces is in double quotes, so that a sentence inside it is not taken for one of ours."""
    text = name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name
    text = escape_invisible(text).replace('"', r"\x22")
    if len(text) > _MAX_DISPLAY_LENGTH:
        half = _MAX_DISPLAY_LENGTH // 2
        text = f"{text[:half]}…{text[-half:]}"
    return f'"{text}"' if not text or " " in text else text


def repackage(folder: str) -> str:
    """A sentence with the exact command that packages a game's directory."""
    return f"Package the game again with GNU tar: tar czf game.tar.gz {shlex.quote(folder)}"


def package_from(above: str, name: str) -> str:
    """A sentence with the command that packages only the directory `name` inside `above`."""
    return f"Package only the game's directory: tar czf game.tar.gz -C {shlex.quote(above)} {shlex.quote(name)}"


REPACKAGE = repackage("mygame")
