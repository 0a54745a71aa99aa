"""How commands name a game, and a build: `slipway status my-game`, `slipway release 3 my-game`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])
_MAX_BUILD_NUMBER = 999_999_999

_game_option = click.option(
    "--game",
    "option",
    metavar="SLUG",
    help="The game's slug, if it is not an argument. Default: SLIPWAY_GAME, then your only game.",
)


def with_game(command: Command) -> Command:
    """Add the argument [GAME] and the option --game to a command, and pass the slug as `slug`: None if neither is
    given."""

    @functools.wraps(command)
    def run(*, argument: str | None, option: str | None, **rest: Any) -> Any:
        return command(slug=_one_game(argument, option), **rest)

    decorated: Any = click.argument("argument", metavar="[GAME]", required=False)(_game_option(run))
    found: Command = decorated
    return found


def with_game_and_build(*, required: bool) -> Callable[[Command], Command]:
    """Add the arguments [GAME] BUILD, in any order, and the option --game to a command. Pass the slug as `slug` and the
    number as `build`: None if not given. `required`: a build must be given."""

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def run(*, arguments: tuple[str, ...], option: str | None, **rest: Any) -> Any:
            game, build = split_game_and_build(arguments)
            if required and build is None:
                raise click.UsageError("Which build? Give its number, such as `3`.")
            return command(slug=_one_game(game, option), build=build, **rest)

        metavar = "[GAME] BUILD" if required else "[GAME] [BUILD]"
        decorated: Any = click.argument("arguments", metavar=metavar, nargs=-1)(_game_option(run))
        found: Command = decorated
        return found

    return decorate


def split_game_and_build(arguments: tuple[str, ...]) -> tuple[str | None, int | None]:
    """The game and the build among at most two arguments. A slug may consist of digits too: of two numbers, the second
    is the build; a single one is a build. Raises click.UsageError."""
    if len(arguments) > 2:
        raise click.UsageError(f"Too many arguments: {' '.join(arguments)}. Give one game and one build.")
    if len(arguments) == 2:
        game, build = arguments if _is_number(arguments[1]) else reversed(arguments)
        if not _is_number(build):
            raise click.UsageError(f"Neither {game!r} nor {build!r} is the number of a build.")
        return game, _build_number(build)
    if arguments and _is_number(arguments[0]):
        return None, _build_number(arguments[0])
    return (arguments[0] if arguments else None), None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _build_number(text: str) -> int:
    number = int(text) if len(text) < 10 else 0
    if not 1 <= number <= _MAX_BUILD_NUMBER:
        raise click.UsageError(f"{text} is not the number of a build. Builds are numbered 1, 2, 3 …")
    return number


def _one_game(argument: str | None, option: str | None) -> str | None:
    if argument and option and argument != option:
        raise click.UsageError(f"Two games are named: {argument} and --game {option}. Leave one out.")
    return argument or option
