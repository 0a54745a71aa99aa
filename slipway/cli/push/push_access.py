"""What can be known before anything is read or sent: whether the game exists, and what the key may do."""

from __future__ import annotations

from dataclasses import dataclass

from slipway.cli.command_error import CommandError
from slipway.cli.exit_codes import ExitCode
from slipway.cli.platform_client import PlatformClient
from slipway.cli.push.checking.archive_check import ArchiveRules
from slipway.cli.push.push_options import PushOptions


@dataclass(frozen=True)
class PushAccess:
    """The rules for the game's archives. `quota_left` in bytes; None if there is no quota."""

    rules: ArchiveRules
    quota_left: int | None


def check_access(platform: PlatformClient, options: PushOptions) -> PushAccess:
    """Raises CommandError for an unknown game, or a key that cannot do what `options` ask for."""
    game = platform.game(options.slug)
    key = platform.call("GET", "/key")
    needed = ["upload"] + (["write"] if options.release and not game["autoRelease"] else [])
    missing = [scope for scope in needed if scope not in key["scopes"]]
    if missing:
        why = {
            "upload": "to send builds",
            "write": f"for --release, because {options.slug} does not release builds automatically",
        }[missing[0]]
        raise CommandError(
            f"The key of the app {key['app']} lacks the scope `{missing[0]}`, which is needed {why}. Nothing was sent. "
            "Use a key that has it: create one in the dashboard.",
            ExitCode.UNAUTHORIZED,
            "forbidden",
        )
    return PushAccess(ArchiveRules.of(game, key), key["buildQuota"]["left"])
