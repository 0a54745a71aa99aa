"""`slipway login` and `logout`: the stored key of a platform."""

from __future__ import annotations

import os
import sys

import click

from slipway.cli.command_context import CommandContext, prompt_for_key, with_context
from slipway.cli.command_error import CommandError
from slipway.cli.credentials import (
    KEY_VARIABLE,
    URL_VARIABLE,
    chosen_url,
    credentials_file,
    parse_key,
    parse_platform_url,
    remove_key,
    store_key,
)
from slipway.cli.exit_codes import ExitCode
from slipway.cli.platform_client import PlatformClient


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


@click.command()
@with_context
def logout(context: CommandContext) -> None:
    """Remove the stored API key of the platform from this machine."""
    url = chosen_url(context.url)
    removed = remove_key(url)
    if removed:
        text = f"The key for {url} was removed from this machine. It still works: revoke it in the dashboard if needed."
    else:
        text = f"No key for {url} is stored in {credentials_file()}."
    if os.environ.get(KEY_VARIABLE):
        text += f" {KEY_VARIABLE} is set, and commands go on using it."
    context.output.result({"url": url, "changed": removed}, text)


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
