"""`slipway diff`: the files that a build adds, removes and changes."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import click

from slipway.cli.command_context import CommandContext, with_context
from slipway.cli.game_arguments import with_game_and_build
from slipway.cli.output import OutputTable
from slipway.client.printable import printable
from slipway.client.sizes import format_size

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


@click.command()
@with_game_and_build(required=True)
@click.option("--against", type=click.IntRange(1, 999_999_999), help="Compare with this build. Default: the live one.")
@click.option("--kind", type=click.Choice(tuple(_SIGNS)), help="Only these changes.")
@click.option("--path", "text", metavar="TEXT", help="Only paths that contain this.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many, largest first.")
@with_context
def diff(
    context: CommandContext,
    slug: str | None,
    build: int,
    against: int | None,
    kind: str | None,
    text: str | None,
    limit: int,
) -> None:
    """Show the files that a build adds (+), removes (-) and changes (~), largest first.

    By default it is compared with the live build; the live build itself with the one that was live before.
    """
    platform = context.platform()
    slug = context.resolve_slug(slug, platform)
    chosen = {"against": against, "kind": kind, "q": text, "limit": limit}
    query = urlencode({name: value for name, value in chosen.items() if value is not None})
    found = platform.game(slug, f"/builds/{build}/changes?{query}")
    changes = found["changes"]
    rows = [_row(change) for change in changes]
    headings = ("", "File", f"Build {found['against']}", f"Build {found['build']}", "New content")
    facts = {"game": slug} | {name: value for name, value in found.items() if name != "nextCursor"}
    context.output.result(facts, _summary(found), OutputTable(headings, rows))


def _row(change: dict[str, Any]) -> tuple[str, ...]:
    old, new = change["oldSize"], change["newSize"]
    return (
        _SIGNS.get(change["kind"], "?"),
        printable(change["path"]),
        "" if old is None else format_size(old),
        "" if new is None else format_size(new),
        "" if new is None else format_size(change["newBytes"]),
    )


def _summary(found: dict[str, Any]) -> str:
    """`2 added, 1 removed, 3 changed since build 13; 54 kB of new content.`"""
    counts = ", ".join(f"{found[kind]:,} {kind}" for kind in _SIGNS if found[kind])
    if not counts:
        return f"No files differ from build {found['against']}."
    text = f"{counts} since build {found['against']}; {format_size(found['newBytes'])} of new content."
    shown, total = len(found["changes"]), found["total"]
    return f"{text} The largest {shown:,} of {total:,} are shown." if shown < total else text
