"""What every command shares: its options, its output, its platform, and how it ends."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from slipway.cli.command_error import CommandError
from slipway.cli.credentials import chosen_url, find_key, parse_key
from slipway.cli.exit_codes import ExitCode
from slipway.cli.output import JsonLines, Output
from slipway.cli.platform_client import PlatformClient

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass
class CommandContext:
    """One run of a command."""

    url: str | None
    output: Output

    def platform(self) -> PlatformClient:
        """The platform with its key; asks for a key where there is a person to ask. Raises CommandError."""
        url = chosen_url(self.url)
        return PlatformClient(url, find_key(url) or prompt_for_key(url))

    def resolve_slug(self, given: str | None, platform: PlatformClient) -> str:
        """The game that is meant: the one that was named, or the only one there is. Raises CommandError."""
        if given:
            return given
        games = platform.call("GET", "/games")["games"]
        if len(games) == 1:
            return str(games[0]["slug"])
        named = ", ".join(game["slug"] for game in games[:20])
        raise CommandError(
            f"Name the game with --game or SLIPWAY_GAME: {named}."
            if games
            else "There is no game yet. Register one in the dashboard.",
            ExitCode.USAGE,
        )


def prompt_for_key(url: str) -> str:
    """A key typed by a person, unseen. Raises CommandError where there is nobody."""
    if not sys.stdin.isatty():
        raise CommandError(
            f"No API key for {url}. Put one into SLIPWAY_KEY, or run `slipway login`.", ExitCode.UNAUTHORIZED
        )
    return parse_key(click.prompt(f"API key for {url}", hide_input=True, err=True), "what was typed")


def with_context(command: Command) -> Command:
    """A command's common options, and its errors as sentences and exit codes. It is given `context`."""

    @functools.wraps(command)
    def run(*, url: str | None, quiet: bool, as_json: bool, **options: Any) -> int:
        output = output_for(as_json=as_json, quiet=quiet)
        try:
            command(context=CommandContext(url, output), **options)
        except CommandError as problem:
            output.error(problem)
            return problem.code
        except KeyboardInterrupt:
            output.error(CommandError("Interrupted.", ExitCode.INTERRUPTED))
            return ExitCode.INTERRUPTED
        finally:
            output.close()
        return ExitCode.OK

    decorated: Any = run
    for option in (
        click.option("--json", "as_json", is_flag=True, help="One JSON object a line; the last has everything."),
        click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors."),
        click.option("--url", help="The platform's address; else SLIPWAY_URL, else where you logged in."),
    ):
        decorated = option(decorated)
    found: Command = decorated
    return found


game_option = click.option(
    "--game", "slug", envvar="SLIPWAY_GAME", metavar="SLUG", help="Which game; not needed if there is only one."
)


def output_for(*, as_json: bool, quiet: bool) -> Output:
    """The one the options and the terminal ask for."""
    if as_json:
        return JsonLines()
    if quiet:
        return Output()
    # rich takes as long to import as everything else: only commands that draw import it.
    from slipway.cli.terminal import Lines, Terminal

    return Terminal() if sys.stderr.isatty() else Lines()
