"""`slipway status`, `builds` and `releases`: lists."""

from __future__ import annotations

from typing import Any

import click

from slipway.cli.command_context import CommandContext, with_context
from slipway.cli.game_arguments import with_game
from slipway.cli.output import OutputTable
from slipway.client.sizes import format_part, format_size
from slipway.client.upload_phases import PHASE_WORDS, STOPPED

_limit_option = click.option(
    "--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="How many, newest first."
)


@click.command()
@with_game
@with_context
def status(context: CommandContext, slug: str | None) -> None:
    """Show the live build, where it is cached, and uploads in progress."""
    platform = context.platform()
    slug = context.resolve_slug(slug, platform)
    game = platform.game(slug)
    found = platform.game(slug, "/builds?limit=10")
    uploads = platform.game(slug, "/uploads")["uploads"]
    servers = game["cacheStatus"]
    live = game["releasedBuild"]
    lines = [
        f"Build {live} is live, cached on {servers['cached']} of {servers['servers']}." if live else "No build is live."
    ]
    lines += [_upload_line(upload) for upload in uploads]
    if found["total"] > len(found["builds"]):
        lines.append(f"{found['total']} builds in all: run `slipway builds {slug}` to list more.")
    facts = {
        "game": slug,
        "releasedBuild": live,
        "cachedOn": servers["cached"],
        "totalServers": servers["servers"],
        "builds": found["builds"],
        "uploads": uploads,
    }
    context.output.result(facts, "\n".join(lines), _build_table(found["builds"]))


@click.command()
@with_game
@_limit_option
@with_context
def builds(context: CommandContext, slug: str | None, limit: int) -> None:
    """List builds, and the warnings about them."""
    platform = context.platform()
    slug = context.resolve_slug(slug, platform)
    found = platform.game(slug, f"/builds?limit={limit}")
    lines = [f"Build {build['number']}: {warning}" for build in found["builds"] for warning in build["warnings"]]
    if not found["builds"]:
        lines = [f"No builds yet. Run `slipway push DIR {slug}` to send one."]
    facts = {"game": slug, "builds": found["builds"], "total": found["total"]}
    context.output.result(facts, "\n".join(lines), _build_table(found["builds"]))


@click.command()
@with_game
@_limit_option
@with_context
def releases(context: CommandContext, slug: str | None, limit: int) -> None:
    """List which builds were live, and when."""
    platform = context.platform()
    slug = context.resolve_slug(slug, platform)
    found = platform.game(slug, f"/releases?limit={limit}")
    rows = [
        (
            str(release["build"]),
            "live" if release["live"] else "" if release["buildKept"] else "deleted since",
            release["releasedAt"],
            release["releasedBy"],
        )
        for release in found["releases"]
    ]
    text = "" if rows else "Nothing has been released yet."
    facts = {"game": slug, "releases": found["releases"], "total": found["total"]}
    context.output.result(facts, text, OutputTable(("Build", "", "Released", "By"), rows))


def _build_table(found: list[dict[str, Any]]) -> OutputTable:
    return OutputTable(
        ("Build", "Version", "", "Size", "Cached on", "Sent", "Note"), [_build_row(row) for row in found]
    )


def _build_row(build: dict[str, Any]) -> tuple[str, ...]:
    return (
        str(build["number"]),
        build["versionLabel"] or "",
        "live" if build["released"] else "",
        format_size(build["size"]),
        str(build["cachedOn"]),
        build["createdAt"],
        build["note"] or "",
    )


def _upload_line(upload: dict[str, Any]) -> str:
    name, phase = upload["fileName"], upload["phase"]
    word = PHASE_WORDS[phase]
    if phase == "failed":
        return f"{name}: {word}. {upload['reason']}"
    if phase == "checking":
        return f"{name}: {word}, {format_part(upload['check']['bytesRead'], upload['size'])}."
    received, size = upload["receivedBytes"], upload["size"]
    there = f"an unknown part of {format_size(size)}" if received is None else format_part(received, size)
    if silent_since := upload.get("silentSince"):  # portals of earlier versions do not say it
        word = f"{STOPPED}, nothing received since {silent_since}"
    return f"{name}: {word}, {there}, kept until {upload['expiresAt']}."
