"""What all commands share: common options, output, the platform client, errors and exit codes."""

from __future__ import annotations

import functools
import os
import re
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from slipway.cli.command_error import CommandError
from slipway.cli.credentials import chosen_url, find_key, parse_key
from slipway.cli.exit_codes import ExitCode
from slipway.cli.output import JsonLines, Output
from slipway.cli.platform_client import PlatformClient
from slipway.client.printable import one_line

Command = TypeVar("Command", bound=Callable[..., Any])
GAME_VARIABLE = "SLIPWAY_GAME"
_MAX_LISTED_GAMES = 20
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass
class CommandContext:
    """The common options of one run of a command."""

    url: str | None
    output: Output

    def platform(self) -> PlatformClient:
        """A client for the platform. Prompts for a key at a terminal if none is stored. Raises CommandError."""
        url = chosen_url(self.url)
        return PlatformClient(url, find_key(url) or prompt_for_key(url))

    def resolve_slug(self, given: str | None, platform: PlatformClient) -> str:
        """The slug of the named game, or of the only game. Raises CommandError."""
        named = given or os.environ.get(GAME_VARIABLE)
        if named:
            return named
        games = platform.call("GET", f"/games?limit={_MAX_LISTED_GAMES + 1}")["games"]
        if len(games) == 1:
            slug = str(games[0]["slug"])
            if not _SLUG.fullmatch(slug):  # `slipway download` makes a file's name of it
                raise ValueError(f"slug {slug!r}")
            return slug
        slugs = ", ".join(game["slug"] for game in games[:_MAX_LISTED_GAMES])
        more = " … Run `slipway games` to list all." if len(games) > _MAX_LISTED_GAMES else "."
        raise CommandError(
            f"You have several games. Name one, as an argument or with SLIPWAY_GAME: {slugs}{more}"
            if games
            else "You have no games yet. Register one with `slipway register SLUG`.",
            ExitCode.USAGE,
        )


def prompt_for_key(url: str) -> str:
    """Prompt for a key without showing it. Raises CommandError if standard input is not a terminal."""
    if not sys.stdin.isatty():
        raise CommandError(f"No API key for {url}. Set SLIPWAY_KEY, or run `slipway login`.", ExitCode.UNAUTHORIZED)
    return parse_key(click.prompt(f"API key for {url}", hide_input=True, err=True), "The text you typed")


def os_error(error: OSError) -> CommandError:
    """The error for a failure of the system, such as a full disk."""
    where = f": {error.filename}" if error.filename else ""
    return CommandError(f"{error.strerror or error}{where}.", ExitCode.UNEXPECTED)


def misread_answer(error: Exception) -> CommandError:
    """The error for an answer without the fields, or with other values, than a command reads. It may as well be a
    mistake in a command, so it says where."""
    *_, place = traceback.extract_tb(error.__traceback__)
    where = f"{type(error).__name__}: {error}, {Path(place.filename).name} line {place.lineno}"
    return CommandError(
        f"The platform's answer is not what this command expects ({one_line(where)}). Check that --url is the address "
        "of a Slipway platform, and update slipway if the platform is newer.",
        ExitCode.UNEXPECTED,
    )


def with_context(command: Command) -> Command:
    """Add the common options to a command, pass them as `context`, and turn errors into messages and exit codes."""

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
        except BrokenPipeError:
            raise
        except OSError as error:
            failed = os_error(error)
            output.error(failed)
            return failed.code
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            misread = misread_answer(error)
            output.error(misread)
            return misread.code
        finally:
            output.close()
        return ExitCode.OK

    decorated: Any = run
    for option in (
        click.option(
            "--json",
            "as_json",
            is_flag=True,
            help="Print one JSON object per line; the last one is the complete result.",
        ),
        click.option("-q", "--quiet", is_flag=True, help="Print nothing except errors."),
        click.option("--url", help="The platform's address. Default: SLIPWAY_URL, then the last `slipway login`."),
    ):
        decorated = option(decorated)
    found: Command = decorated
    return found


def output_for(*, as_json: bool, quiet: bool) -> Output:
    """The output for these options and this terminal."""
    if as_json:
        return JsonLines()
    if quiet:
        return Output()
    # Importing rich takes as long as all other imports together, so only commands that need it do so.
    from slipway.cli.terminal import Lines, Terminal

    return Terminal() if sys.stderr.isatty() else Lines()
