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
from slipway.cli.command_context import Session, asked_key, game_option, runs
from slipway.cli.credentials import URL_VARIABLE, checked_key, checked_url, chosen_url, store
from slipway.cli.exit_codes import ExitCode
from slipway.cli.list_commands import games, releases, status
from slipway.cli.platform_client import Platform
from slipway.cli.command_error import Problem
from slipway.cli.push.build_progress import Deadline, until_cached
from slipway.cli.push.push_command import WAITS, Push, PushOptions
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
        return _complain("Interrupted.", ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has gone; nothing is to be said to nobody at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.UNEXPECTED
    except OSError as error:
        return _complain(
            f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}.", ExitCode.UNEXPECTED
        )
    return int(code or 0)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _complain(text: str, code: ExitCode) -> int:
    sys.stderr.write(f"slipway: {text}\n")
    return code


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="slipway", message="%(prog)s %(version)s")
def slipway() -> None:
    """Send builds to a Slipway platform and see them arrive.

    The API key comes from SLIPWAY_KEY, from `slipway login`, or from a prompt; never from the command line.
    """


@click.command()
@runs
def login(session: Session) -> None:
    """Keep the platform's address and an API key for later."""
    url = _asked_url(session.url)
    key = asked_key(url) if sys.stdin.isatty() else checked_key(sys.stdin.readline(), "standard input")
    found = Platform(url, key).call("GET", "/games?limit=1")
    path = store(url, key)
    session.output.result(
        {"url": url, "games": found["total"]},
        f"Logged in: {found['total']} games. The key is in {path}, for you alone.",
    )


def _asked_url(given: str | None) -> str:
    if given or os.environ.get(URL_VARIABLE):
        return chosen_url(given)
    if not sys.stdin.isatty():
        raise Problem("Give --url or SLIPWAY_URL: there is nobody to ask here.", ExitCode.USAGE)
    try:
        before: str | None = chosen_url(None)
    except Problem:
        before = None
    return checked_url(click.prompt("Address of the platform", default=before, err=True))


@click.command()
@click.argument("path", metavar="DIR_OR_TARGZ", type=click.Path(exists=True, path_type=Path))
@game_option
@click.option("--note", help="A line that is shown with the build.")
@click.option("--release/--no-release", default=None, help="Whether it goes live by itself; else as the game is set.")
@click.option("--if-changed", is_flag=True, help="Send nothing if the newest build holds the same.")
@click.option("--wait", type=click.Choice(WAITS), default="checked", show_default=True, help="How far to follow.")
@click.option("--timeout", type=click.FloatRange(min=0), default=3600.0, show_default=True, help="Seconds to follow.")
@click.option(
    "--patience",
    type=click.FloatRange(min=0),
    default=300.0,
    show_default=True,
    help="Seconds without any answer after which to give up.",
)
@runs
def push(session: Session, path: Path, slug: str | None, patience: float, timeout: float, **options: object) -> None:
    """Send a folder or a tar.gz as a new build.

    Interrupted pushes go on where they ended: run the same command again.
    """
    wait, choice = str(options["wait"]), options["release"]
    if choice is False and wait in {"released", "cached"}:
        raise Problem(f"--no-release and --wait {wait} contradict each other. Leave one out.", ExitCode.USAGE)
    platform = session.platform()
    chosen = PushOptions(
        slug=session.slug(slug, platform),
        note=str(options["note"]) if options["note"] else None,
        release=None if choice is None else bool(choice),
        if_changed=bool(options["if_changed"]),
        wait=wait,
        timeout=timeout,
        patience=patience,
    )
    made = Push(platform, session.output, chosen)
    text = made.run(path)
    session.output.result(made.facts, text)


@click.command()
@game_option
@click.option("--timeout", type=click.FloatRange(min=0), help="Seconds; without it there is no end.")
@runs
def watch(session: Session, slug: str | None, timeout: float | None) -> None:
    """Watch the live build arrive, until every server has it."""
    platform = session.platform()
    slug = session.slug(slug, platform)
    live = platform.game(slug)["releasedBuild"]
    if live is None:
        raise Problem(f"Nothing of {slug} is live. Push a build first.", ExitCode.NOT_RELEASED)
    platform.be_patient(300.0)
    session.output.plan(["caching"])
    try:
        sync = until_cached(platform, slug, live, session.output, Deadline(timeout))
    except KeyboardInterrupt:
        raise Problem("Interrupted. `slipway watch` goes on watching.", ExitCode.INTERRUPTED) from None
    facts = {"game": slug, "build": live, "cachedOn": sync["cachedOn"], "totalServers": sync["totalServers"]}
    session.output.result(facts, f"Build {live} is cached on {sync['cachedOn']} of {sync['totalServers']} servers.")


for command in (login, games, push, status, watch, releases, release, rollback):
    slipway.add_command(command)
