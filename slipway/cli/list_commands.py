"""`slipway games`, `status` and `releases`: lists."""

from __future__ import annotations

from typing import Any

import click

from slipway.cli.command_context import CommandContext, game_option, with_context
from slipway.cli.output import OutputTable
from slipway.client.sizes import format_size


@click.command()
@with_context
def games(context: CommandContext) -> None:
    """List your games."""
    found = context.platform().call("GET", "/games")
    rows = [(game["slug"], game["title"], game["status"].replace("_", " ")) for game in found["games"]]
    text = "" if rows else "You have no games yet. Register one in the dashboard."
    context.output.result({"games": found["games"]}, text, OutputTable(("Game", "Title", "Status"), rows))


@click.command()
@game_option
@with_context
def status(context: CommandContext, slug: str | None) -> None:
    """Show the live build, where it is cached, and uploads in progress."""
    platform = context.platform()
    slug = context.resolve_slug(slug, platform)
    game = platform.game(slug)
    builds = platform.game(slug, "/builds?limit=10")["builds"]
    uploads = platform.game(slug, "/uploads")["uploads"]
    servers = game["cacheStatus"]
    live = game["releasedBuild"]
    lines = [
        f"Build {live} is live, cached on {servers['cached']} of {servers['servers']}." if live else "No build is live."
    ]
    lines += [_upload_line(upload) for upload in uploads]
    facts = {
        "game": slug,
        "releasedBuild": live,
        "cachedOn": servers["cached"],
        "totalServers": servers["servers"],
        "builds": builds,
        "uploads": uploads,
    }
    context.output.result(
        facts,
        "\n".join(lines),
        OutputTable(("Build", "", "Size", "Cached on", "Sent", "Note"), [_build(build) for build in builds]),
    )


@click.command()
@game_option
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="How many, newest first.")
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


def _build(build: dict[str, Any]) -> tuple[str, ...]:
    live = "live" if build["released"] else ""
    size, note = format_size(build["size"]), build["note"] or ""
    return (str(build["number"]), live, size, str(build["cachedOn"]), build["createdAt"], note)


def _upload_line(upload: dict[str, Any]) -> str:
    name, phase = upload["fileName"], upload["phase"]
    if phase == "failed":
        return f"{name} was rejected: {upload['reason']}"
    if phase == "checking":
        return f"{name} is being checked: {format_size(upload['check']['bytesRead'])} of {format_size(upload['size'])}."
    there = format_size(upload["receivedBytes"]) if upload["receivedBytes"] is not None else "an unknown amount"
    return f"{name} is being sent: {there} of {format_size(upload['size'])}, kept until {upload['expiresAt']}."
