"""The command at the end of the advice for a rejected archive, for a copy button."""

from __future__ import annotations

import re

# What the advice of slipway/archive tells people to run.
_PROGRAMS = "7z|bsdtar|bzcat|chmod|gunzip|gzip|lz4cat|lzip|python3|tar|unrar|unzip|wsl|xzcat|zcat|zstdcat"
# Not after a quoted name: what looks like a command in it is its sender's, and is not offered for copying.
_COMMAND = re.compile(rf'([^"]*?): ((?:COPYFILE_DISABLE=1 )?(?:{_PROGRAMS}) .+?)\.?', re.DOTALL)


def split_command(advice: str) -> tuple[str, str]:
    """(sentence, command) of `Repackage it: tar czf game.tar.gz mygame.`; the command is "" if there is none."""
    found = _COMMAND.fullmatch(advice)
    return (f"{found[1]}:", found[2]) if found else (advice, "")
