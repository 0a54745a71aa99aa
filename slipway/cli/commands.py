"""The `slipway` command."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import click

from slipway.cli import VERSION
from slipway.cli.command_context import CommandContext, game_option, prompt_for_key, with_context
from slipway.cli.command_error import CommandError
from slipway.cli.credentials import URL_VARIABLE, chosen_url, parse_key, parse_platform_url, store_key
from slipway.cli.exit_codes import ExitCode
from slipway.cli.list_commands import games, releases, status
from slipway.cli.platform_client import PlatformClient
from slipway.cli.push.build_progress import Deadline, wait_until_cached
from slipway.cli.push.push_command import Push
from slipway.cli.push.push_options import WAIT_LEVELS, PushOptions
from slipway.cli.release_commands import release, rollback


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code; see `exit_codes` and docs/cli.md."""
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
        # The reader of the output has closed it. Python would write to it once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.UNEXPECTED
    except OSError as error:
        return _fail(
            f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}.", ExitCode.UNEXPECTED
        )
    return int(code or 0)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _fail(text: str, code: ExitCode) -> int:
    sys.stderr.write(f"slipway: {text}\n")
    return code


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="slipway", message="%(prog)s %(version)s")
def slipway() -> None:
    """Push builds to a Slipway platform and follow them to the servers.

    The API key comes from SLIPWAY_KEY, from `slipway login`, or from a prompt, never from the command line.
    """


@click.command()
@with_context
def login(context: CommandContext) -> None:
    """Store the platform's address and an API key."""
    url = _login_url(context.url)
    key = prompt_for_key(url) if sys.stdin.isatty() else parse_key(sys.stdin.readline(), "Standard input")
    found = PlatformClient(url, key).call("GET", "/games?limit=1")
    path = store_key(url, key)
    context.output.result(
        {"url": url, "games": found["total"]},
        f"Logged in: {found['total']} games. The key is stored in {path}; only you can read it.",
    )


def _login_url(given: str | None) -> str:
    if given or os.environ.get(URL_VARIABLE):
        return chosen_url(given)
    if not sys.stdin.isatty():
        raise CommandError("Pass --url or set SLIPWAY_URL: standard input is not a terminal.", ExitCode.USAGE)
    try:
        before: str | None = chosen_url(None)
    except CommandError:
        before = None
    return parse_platform_url(click.prompt("Address of the platform", default=before, err=True))


@click.command()
@click.argument("path", metavar="DIR_OR_TARGZ", type=click.Path(exists=True, path_type=Path))
@game_option
@click.option("--note", help="A note that is shown with the build.")
@click.option(
    "--release/--no-release",
    default=None,
    help="Release the build after its check, or not. Default: the game's setting.",
)
@click.option("--if-changed", is_flag=True, help="Send nothing if the newest build has the same content.")
@click.option("--full", is_flag=True, help="Send a folder's whole archive, not only what changed.")
@click.option(
    "--wait",
    type=click.Choice(WAIT_LEVELS),
    default="checked",
    show_default=True,
    help="Wait until the build has reached this state.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=3600.0,
    show_default=True,
    help="Seconds to wait after the upload.",
)
@click.option(
    "--patience",
    type=click.FloatRange(min=0),
    default=300.0,
    show_default=True,
    help="Stop after this many seconds without a response.",
)
@with_context
def push(
    context: CommandContext, path: Path, slug: str | None, patience: float, timeout: float, **options: object
) -> None:
    """Push a folder or a tar.gz as a new build.

    To continue an interrupted push, run the same command again.
    """
    wait, choice = str(options["wait"]), options["release"]
    if choice is False and wait in {"released", "cached"}:
        raise CommandError(f"--no-release and --wait {wait} contradict each other. Leave one out.", ExitCode.USAGE)
    platform = context.platform()
    chosen = PushOptions(
        slug=context.resolve_slug(slug, platform),
        note=str(options["note"]) if options["note"] else None,
        release=None if choice is None else bool(choice),
        if_changed=bool(options["if_changed"]),
        full=bool(options["full"]),
        wait=wait,
        timeout=timeout,
        patience=patience,
    )
    made = Push(platform, context.output, chosen)
    text = made.run(path)
    context.output.result(made.facts, text)


@click.command()
@game_option
@click.option("--timeout", type=click.FloatRange(min=0), help="Stop after this many seconds. Default: no limit.")
@with_context
def watch(context: CommandContext, slug: str | None, timeout: float | None) -> None:
    """Follow the live build until every server has cached it."""
    platform = context.platform()
    slug = context.resolve_slug(slug, platform)
    live = platform.game(slug)["releasedBuild"]
    if live is None:
        raise CommandError(f"No build of {slug} is live. Push and release one first.", ExitCode.NOT_RELEASED)
    platform.set_retry_budget(300.0)
    context.output.plan(["caching"])
    try:
        sync = wait_until_cached(platform, slug, live, context.output, Deadline(timeout))
    except KeyboardInterrupt:
        raise CommandError("Interrupted. Run `slipway watch` to continue watching.", ExitCode.INTERRUPTED) from None
    facts = {"game": slug, "build": live, "cachedOn": sync["cachedOn"], "totalServers": sync["totalServers"]}
    context.output.result(facts, f"Build {live} is cached on {sync['cachedOn']} of {sync['totalServers']} servers.")


for command in (login, games, push, status, watch, releases, release, rollback):
    slipway.add_command(command)
