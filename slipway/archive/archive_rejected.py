"""The one error of this package, and how a member's name is shown in it."""

import shlex

from slipway.archive.invisible_characters import INVISIBLE

_MAX_DISPLAY_LENGTH = 160


class ArchiveRejected(Exception):
    """An archive breaks a rule.

    `problem` is one sentence that names the member where there is one, `remedy` says what to do, `member` is the
    member's name as it can be shown (or None); `str()` is both sentences.
    """

    def __init__(self, problem: str, remedy: str, member: str | None = None) -> None:
        super().__init__(f"{problem}. {remedy}.")
        self.problem = problem
        self.remedy = remedy
        self.member = member


def display_name(name: str | bytes) -> str:
    """A name as a message can carry it: on one line, with what is invisible escaped, and not too long."""
    text = name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name
    text = INVISIBLE.sub(lambda found: found.group().encode("unicode_escape").decode("ascii"), text)
    if len(text) > _MAX_DISPLAY_LENGTH:
        half = _MAX_DISPLAY_LENGTH // 2
        text = f"{text[:half]}…{text[-half:]}"
    return f'"{text}"' if not text or " " in text else text


def repackage(folder: str) -> str:
    """The sentence with the exact command that packages a game's folder."""
    return f"Package the game again with GNU tar: tar czf game.tar.gz {shlex.quote(folder)}"


REPACKAGE = repackage("mygame")
