"""`slipway push`, `watch`, `download` and `diff`."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

from slipway.cli.build_download import BuildDownload
from slipway.cli.command_context import CommandContext, with_context
from slipway.cli.command_error import CommandError
from slipway.cli.exit_codes import ExitCode
from slipway.cli.game_arguments import with_game, with_game_and_build
from slipway.cli.output import Output, OutputTable
from slipway.cli.platform_client import PlatformClient
from slipway.cli.push.build_progress import Deadline, wait_until_cached
from slipway.cli.push.push_options import WAIT_LEVELS, PushOptions
from slipway.client.printable import printable
from slipway.client.sizes import format_size

_WATCH_RETRY_SECONDS = 300.0
_LIST_PAUSE_SECONDS = 2.0
_CHANGE_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


@click.command()
@click.argument(
    "path", metavar="DIR_OR_TARGZ", type=click.Path(exists=True, readable=False, allow_dash=True, path_type=Path)
)
@with_game
@click.option("--note", help="A note that is shown with the build.")
@click.option("--version-label", metavar="TEXT", help="Your own name for the build, such as 1.4.2.")
@click.option(
    "--release/--no-release",
    default=None,
    help="Release the build after its check, or not. Default: the game's setting.",
)
@click.option("--if-changed", is_flag=True, help="Send nothing if the newest build has the same content.")
@click.option("--full", is_flag=True, help="Send the whole archive of a folder, not only what changed.")
@click.option("--dry-run", is_flag=True, help="Check and show what would be sent, and send nothing.")
@click.option(
    "--ignore",
    multiple=True,
    metavar="PATTERN",
    help="Leave out matching files of a folder, as in .gitignore. Can be given several times.",
)
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
    context: CommandContext,
    path: Path,
    slug: str | None,
    release: bool | None,
    wait: str,
    note: str | None,
    version_label: str | None,
    if_changed: bool,
    full: bool,
    dry_run: bool,
    ignore: tuple[str, ...],
    timeout: float,
    patience: float,
) -> None:
    """Push a folder, a tar.gz, or standard input (-) as a new build.

    To continue an interrupted push, run the same command again.
    """
    # Imported here, because no other command needs the rules for archives.
    from slipway.cli.push.push_command import Push

    if release is False and wait in {"released", "cached"}:
        raise CommandError(f"--no-release and --wait {wait} contradict each other. Leave one out.", ExitCode.USAGE)
    platform = context.platform()
    options = PushOptions(
        slug=context.resolve_slug(slug, platform),
        note=note or None,
        version_label=version_label or None,
        release=release,
        if_changed=if_changed,
        full=full,
        dry_run=dry_run,
        ignore=ignore,
        wait=wait,
        timeout=timeout,
        patience=patience,
    )
    made = Push(platform, context.output, options)
    text = made.run(path)
    context.output.result(made.facts, text)


@click.command()
@with_game
@click.option("--timeout", type=click.FloatRange(min=0), help="Stop after this many seconds. Default: no limit.")
@with_context
def watch(context: CommandContext, slug: str | None, timeout: float | None) -> None:
    """Follow the live build until every server has cached it."""
    platform = context.platform()
    slug = context.resolve_slug(slug, platform)
    live = platform.game(slug)["releasedBuild"]
    if live is None:
        raise CommandError(
            f"No build of {slug} is live. Run `slipway builds {slug}` to list its builds, then release one.",
            ExitCode.NOT_RELEASED,
        )
    platform.set_retry_budget(_WATCH_RETRY_SECONDS)
    context.output.plan(["caching"])
    try:
        sync = wait_until_cached(platform, slug, live, context.output, Deadline(timeout))
    except KeyboardInterrupt:
        raise CommandError(
            f"Interrupted. Run `slipway watch {slug}` to continue watching.", ExitCode.INTERRUPTED
        ) from None
    facts = {"game": slug, "build": live, "cachedOn": sync["cachedOn"], "totalServers": sync["totalServers"]}
    context.output.result(facts, f"Build {live} is cached on {sync['cachedOn']} of {sync['totalServers']} servers.")


@click.command()
@with_game_and_build(required=False)
@click.option(
    "-o", "--output", "target", type=click.Path(path_type=Path), help="A file or a folder. Default: GAME-BUILD.tar.gz."
)
@click.option("--force", is_flag=True, help="Replace a file that exists.")
@with_context
def download(context: CommandContext, slug: str | None, build: int | None, target: Path | None, force: bool) -> None:
    """Download a build's archive: BUILD, or the live one. Its checksum is verified."""
    platform = context.platform()
    slug = context.resolve_slug(slug, platform)
    number = build or platform.game(slug)["releasedBuild"]
    if number is None:
        raise CommandError(
            f"No build of {slug} is live. Run `slipway builds {slug}` to list its builds, then name one.",
            ExitCode.NOT_RELEASED,
        )
    found = BuildDownload(platform, slug, int(number), context.output)
    name = f"{slug}-{number}.tar.gz"
    path = found.save(target / name if target and target.is_dir() else target or Path(name), force=force)
    facts = {"game": slug, "build": number, "path": str(path), "size": found.size, "checksum": found.checksum}
    context.output.result(facts, f"Build {number} of {slug} is in {path}. Its checksum is right.")


@click.command()
@with_game_and_build(required=True)
@click.option("--against", type=click.IntRange(1, 999_999_999), help="Compare with this build. Default: the live one.")
@click.option("--kind", type=click.Choice(tuple(_CHANGE_SIGNS)), help="Only these changes.")
@click.option("--path", "text", metavar="TEXT", help="Only paths that contain this.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many, largest first.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=600.0,
    show_default=True,
    help="Seconds to wait while the list of files of an old build is made.",
)
@with_context
def diff(
    context: CommandContext,
    slug: str | None,
    build: int,
    against: int | None,
    kind: str | None,
    text: str | None,
    limit: int,
    timeout: float,
) -> None:
    """Show the files that a build adds (+), removes (-) and changes (~), largest first.

    By default it is compared with the live build; the live build itself with the one that was live before.
    """
    platform = context.platform()
    slug = context.resolve_slug(slug, platform)
    chosen = {"against": against, "kind": kind, "q": text, "limit": limit}
    query = urlencode({name: value for name, value in chosen.items() if value is not None})
    found = _changes(platform, slug, f"/builds/{build}/changes?{query}", context.output, Deadline(timeout))
    changes = found["changes"]
    rows = [_change_row(change) for change in changes]
    headings = ("", "File", f"Build {found['against']}", f"Build {found['build']}", "New content")
    facts = {"game": slug} | {name: value for name, value in found.items() if name != "nextCursor"}
    context.output.result(facts, _change_summary(found), OutputTable(headings, rows))


def _changes(platform: PlatformClient, slug: str, path: str, output: Output, deadline: Deadline) -> dict[str, Any]:
    """Compare the builds, as soon as both have a list of their files."""
    told = False
    while True:
        try:
            return platform.game(slug, path)
        except CommandError as refusal:
            if refusal.error_code != "index_preparing":
                raise
            if not told:
                output.info(str(refusal))
            told = True
            if not deadline.sleep(_LIST_PAUSE_SECONDS):
                raise


def _change_row(change: dict[str, Any]) -> tuple[str, ...]:
    old, new = change["oldSize"], change["newSize"]
    return (
        _CHANGE_SIGNS.get(change["kind"], "?"),
        printable(change["path"]),
        "" if old is None else format_size(old),
        "" if new is None else format_size(new),
        "" if new is None else format_size(change["newBytes"]),
    )


def _change_summary(found: dict[str, Any]) -> str:
    """`2 added, 1 removed, 3 changed since build 13; 54 KiB of new content, unpacked.`"""
    counts = ", ".join(f"{found[kind]:,} {kind}" for kind in _CHANGE_SIGNS if found[kind])
    if not counts:
        return f"No files differ from build {found['against']}."
    text = f"{counts} since build {found['against']}; {format_size(found['newBytes'])} of new content, unpacked."
    shown, total = len(found["changes"]), found["total"]
    return f"{text} The largest {shown:,} of {total:,} are shown." if shown < total else text
