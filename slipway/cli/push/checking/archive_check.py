"""The platform's rules for archives, applied on this machine, so that an archive that would be refused is not sent."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.archive_rejected import ArchiveRejected
from slipway.archive.inspection import Inspector
from slipway.cli.command_error import CommandError
from slipway.cli.exit_codes import ExitCode
from slipway.client.sizes import format_limit

# "Make it executable and package again: chmod +x a.sh && tar czf game.tar.gz mygame"
_PACKAGE_AGAIN = re.compile(r" and package (?:the game )?again(?:(: .+?) && .*|.*)", re.DOTALL)


@dataclass(frozen=True)
class ArchiveRules:
    """What the platform accepts for a game. `launcher` None: the only executable `.sh` at the root. Sizes are bytes."""

    launcher: str | None
    max_archive_bytes: int
    max_unpacked_bytes: int

    @classmethod
    def of(cls, game: dict[str, Any], key: dict[str, Any]) -> ArchiveRules:
        """From the API's answers about the game and the key."""
        return cls(game["launcher"] or None, int(key["maxArchiveBytes"]), int(key["maxUnpackedBytes"]))

    def require_size(self, size: int) -> None:
        """Raises CommandError if an archive of `size` bytes or more is too large."""
        if size > self.max_archive_bytes:
            raise CommandError(
                f"The archive is larger than {format_limit(self.max_archive_bytes)}, the limit of this platform. "
                "Remove files that the game does not need, or ask the operator for a higher limit.",
                ExitCode.REFUSED,
                "payload_too_large",
            )


class ArchiveCheck:
    """Inspects an archive that is given in pieces: `feed()` them in order, then `finish()`."""

    def __init__(self, rules: ArchiveRules, size: int | None = None) -> None:
        """`size` of the archive in bytes, if it is known. Otherwise its ratio is checked at its end."""
        limits = ArchiveLimits(
            unpacked_bytes=rules.max_unpacked_bytes,
            archive_bytes=rules.max_archive_bytes if size is None else size,
            processing_seconds=math.inf,  # a slow machine may take longer than the platform allows itself
        )
        self._inspector = Inspector(limits, rules.launcher)
        self._rules = rules
        self._size = 0

    def feed(self, piece: bytes) -> None:
        """Raises ArchiveRejected, or CommandError if the archive is larger than the platform accepts."""
        self._size += len(piece)
        self._rules.require_size(self._size)
        self._inspector.feed(piece)

    def finish(self) -> tuple[str, ...]:
        """The warnings about the complete archive. Raises ArchiveRejected."""
        return self._inspector.finish().warnings


def refused_archive(rejected: ArchiveRejected) -> CommandError:
    """The error for an archive that the platform would refuse."""
    return CommandError(str(rejected), ExitCode.REFUSED_ARCHIVE, "invalid_archive")


def without_packaging(advice: str) -> str:
    """Advice without the part about packaging again: a folder is packed by this command."""
    return ". ".join(_PACKAGE_AGAIN.sub(lambda found: found[1] or "", part) for part in advice.split(". "))


def refused_folder(rejected: ArchiveRejected) -> CommandError:
    """The same for a folder."""
    sentences = without_packaging(rejected.remedy).split(". ")
    advice = [sentence for sentence in sentences if "ackage" not in sentence] or ["Change that in the folder"]
    text = ". ".join([rejected.problem, *advice])
    return CommandError(f"{text}. Then push again.", ExitCode.REFUSED_ARCHIVE, "invalid_archive")
