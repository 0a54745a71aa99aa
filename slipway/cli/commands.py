"""The `slipway` command."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from types import FrameType

import click

from slipway.cli import VERSION
from slipway.cli.account_commands import login, logout
from slipway.cli.build_commands import diff, download, push, watch
from slipway.cli.command_context import os_error
from slipway.cli.exit_codes import ExitCode
from slipway.cli.game_commands import games, register
from slipway.cli.list_commands import builds, releases, status
from slipway.cli.release_commands import release, rollback
from slipway.client.standard_streams import drop_output, prepare_streams

# In the order of `slipway --help`.
COMMANDS = (
    login,
    logout,
    games,
    register,
    push,
    status,
    watch,
    builds,
    download,
    diff,
    releases,
    release,
    rollback,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code; see `exit_codes` and docs/cli.md."""
    prepare_streams()
    # A signal that the caller ignores stays ignored (nohup, background jobs). Python does the same for SIGINT.
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN:
        signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = slipway.main(args=arguments, prog_name="slipway", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _fail("Interrupted.", ExitCode.INTERRUPTED)
    except BrokenPipeError:
        drop_output()
        return ExitCode.UNEXPECTED
    except OSError as error:
        drop_output()
        return _fail(str(os_error(error)), ExitCode.UNEXPECTED)
    return int(code or 0)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _fail(text: str, code: ExitCode) -> int:
    sys.stderr.write(f"slipway: {text}\n")
    return code


class _CommandGroup(click.Group):
    """Lists commands in the order in which people need them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=_CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="slipway", message="%(prog)s %(version)s")
def slipway() -> None:
    """Push builds to a Slipway platform and follow them to the servers.

    The API key comes from SLIPWAY_KEY, from `slipway login`, or from a prompt, never from the command line.
    """


for command in COMMANDS:
    slipway.add_command(command)
