"""`slipway release` and `slipway rollback`: change which build is live."""

from __future__ import annotations

import sys
from http import HTTPStatus
from typing import Any

import click

from slipway.cli.command_context import CommandContext, with_context
from slipway.cli.command_error import CommandError
from slipway.cli.exit_codes import ExitCode
from slipway.cli.game_arguments import with_game_and_build
from slipway.cli.platform_client import PlatformClient, game_path
from slipway.client.printable import printable
from slipway.client.sizes import format_size
from slipway.client.transfer_line import transfer_line

_yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")


@click.command()
@with_game_and_build(required=True)
@_yes_option
@with_context
def release(context: CommandContext, build: int, slug: str | None, yes: bool) -> None:
    """Make a build live."""
    platform = context.platform()
    _release(context, platform, context.resolve_slug(slug, platform), build, yes)


@click.command()
@with_game_and_build(required=False)
@_yes_option
@with_context
def rollback(context: CommandContext, build: int | None, slug: str | None, yes: bool) -> None:
    """Make an earlier build live again: the previous one, or BUILD."""
    platform = context.platform()
    slug = context.resolve_slug(slug, platform)
    _release(context, platform, slug, build or _previous_build(platform, slug), yes)


def _previous_build(platform: PlatformClient, slug: str) -> int:
    """The last build that was live before the current one and still exists. Raises CommandError."""
    releases = platform.game(slug, "/releases?limit=200")["releases"]
    live = next((release["build"] for release in releases if release["live"]), None)
    for release in releases:
        if release["build"] != live and release["buildKept"]:
            return int(release["build"])
    raise CommandError(
        f"No earlier build can be rolled back to. Run `slipway builds {slug}` to list the builds, then name one.",
        ExitCode.NOT_FOUND,
    )


def _release(context: CommandContext, platform: PlatformClient, slug: str, build: int, yes: bool) -> None:
    forecast = platform.game(slug, f"/releases/preview?build={build}")
    if not forecast["changes"]:
        context.output.result({"game": slug, "build": build, "changed": False}, f"Build {build} is already live.")
        return
    for line in _forecast_lines(forecast):
        context.output.info(line)
    if not yes:
        _confirm(build, slug, forecast)
    status, made = platform.call_for_status("POST", game_path(slug, "/releases"), {"build": build})
    changed = status == HTTPStatus.CREATED  # 200: somebody else has released it in the meantime
    facts = {
        "game": slug,
        "build": build,
        "changed": changed,
        "before": forecast["live"],
        "releasedAt": made["releasedAt"],
        "bytesToFetch": forecast["bytesToFetch"],
        "bytesOf": forecast["bytesOf"],
    }
    text = f"Build {build} is live." if changed else f"Build {build} was already live."
    context.output.result(facts, f"{text} Run `slipway watch {slug}` to follow it to the servers.")


def _forecast_lines(forecast: dict[str, Any]) -> list[str]:
    lines = [_cost_line(forecast)] if forecast["bytesToFetch"] else []
    for server in forecast["servers"]:
        fetch = server["bytesToFetch"]
        amount = f"{'at most ' if server['preparing'] else ''}{format_size(fetch)}"
        what = f"fetches {amount}" if fetch else "has it"
        if fetch and server["way"] == "update":
            what += f", an update from build {server['fromBuild']}"
        away = "" if server["contact"] else ", no contact now"
        lines.append(printable(f"  {server['id']} {what}{away}"))
    if forecast["sessions"]:
        lines.append(f"  {forecast['sessions']} sessions keep running the build they started with")
    return lines


def _cost_line(forecast: dict[str, Any]) -> str:
    """`3 servers, 54 KiB each instead of 112 MiB`."""
    fetching = [server for server in forecast["servers"] if server["bytesToFetch"]]
    amounts = [server["bytesToFetch"] for server in fetching]
    return transfer_line(amounts, fetching[0]["bytesOf"], preparing=forecast["preparing"])


def _confirm(build: int, slug: str, forecast: dict[str, Any]) -> None:
    if not sys.stdin.isatty():
        raise CommandError(
            "Standard input is not a terminal, so there is no confirmation. Pass --yes to release without it.",
            ExitCode.USAGE,
        )
    instead = f" instead of build {forecast['live']}" if forecast["live"] else ""
    if not click.confirm(f"Release build {build} of {slug}{instead}?", err=True):
        raise CommandError("Not confirmed: nothing was changed.", ExitCode.INTERRUPTED, "declined")
