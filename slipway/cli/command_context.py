"""What every command shares: its options, its output, its platform, and how it ends."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from slipway.cli.credentials import checked_key, chosen_url, known_key
from slipway.cli.exit_codes import ExitCode
from slipway.cli.output import Output
from slipway.cli.output_choice import output_for
from slipway.cli.platform_client import Platform
from slipway.cli.command_error import Problem

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass
class Session:
    """One run of a command."""

    url: str | None
    output: Output

    def platform(self) -> Platform:
        """The platform with its key; asks for a key where there is a person to ask. Raises Problem."""
        url = chosen_url(self.url)
        return Platform(url, known_key(url) or asked_key(url))

    def slug(self, given: str | None, platform: Platform) -> str:
        """The game that is meant: the one that was named, or the only one there is. Raises Problem."""
        if given:
            return given
        games = platform.call("GET", "/games")["games"]
        if len(games) == 1:
            return str(games[0]["slug"])
        named = ", ".join(game["slug"] for game in games[:20])
        raise Problem(
            f"Name the game with --game or SLIPWAY_GAME: {named}."
            if games
            else "There is no game yet. Register one in the dashboard.",
            ExitCode.USAGE,
        )


def asked_key(url: str) -> str:
    """A key typed by a person, unseen. Raises Problem where there is nobody."""
    if not sys.stdin.isatty():
        raise Problem(f"No API key for {url}. Put one into SLIPWAY_KEY, or run `slipway login`.", ExitCode.UNAUTHORIZED)
    return checked_key(click.prompt(f"API key for {url}", hide_input=True, err=True), "what was typed")


def runs(command: Command) -> Command:
    """A command's common options, and its errors as sentences and exit codes. It is given `session`."""

    @functools.wraps(command)
    def run(*, url: str | None, quiet: bool, as_json: bool, **options: Any) -> int:
        output = output_for(as_json=as_json, quiet=quiet)
        try:
            command(session=Session(url, output), **options)
        except Problem as problem:
            output.problem(problem)
            return problem.code
        except KeyboardInterrupt:
            output.problem(Problem("Interrupted.", ExitCode.INTERRUPTED))
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
