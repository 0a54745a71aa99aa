"""`slipway games` and `register`."""

from __future__ import annotations

import sys
import uuid
from typing import Any

import click

from slipway.cli.command_context import CommandContext, with_context
from slipway.cli.command_error import CommandError
from slipway.cli.exit_codes import ExitCode
from slipway.cli.output import OutputTable

# Field of the API -> option. The API requires each.
_REQUIRED = {
    "title": "--title",
    "developer": "--developer",
    "description": "--description",
    "tags": "--tag",
    "launcher": "--launcher",
    "renpyDir": "--renpy-dir",
}
_PROMPTS = {
    "title": "Title",
    "developer": "Developer",
    "description": "Description",
    "tags": "Tags, with commas between them",
    "launcher": "Launcher, such as mygame.sh",
    "renpyDir": "Name of the game's folder, such as MyGame-1.0",
}


@click.command()
@with_context
def games(context: CommandContext) -> None:
    """List your games."""
    found = context.platform().call("GET", "/games")
    rows = [(game["slug"], game["title"], game["status"].replace("_", " ")) for game in found["games"]]
    text = "" if rows else "You have no games yet. Register one with `slipway register SLUG`."
    context.output.result({"games": found["games"]}, text, OutputTable(("Game", "Title", "Status"), rows))


@click.command()
@click.argument("slug", metavar="SLUG")
@click.option("--title", help="The game's title.")
@click.option("--developer", help="Who made it.")
@click.option("--description", help="What it is about.")
@click.option("--tag", "tags", multiple=True, help="A tag, such as 'Visual Novel'. Can be given several times.")
@click.option("--launcher", help="The script that starts the game, such as mygame.sh.")
@click.option("--renpy-dir", "renpyDir", metavar="NAME", help="Name of the game's folder, such as MyGame-1.0.")
@click.option("--stage", is_flag=True, help="Do not release builds automatically.")
@click.option("--keep-builds", type=click.IntRange(1, 1000), help="How many builds to keep. Default: all.")
@with_context
def register(context: CommandContext, slug: str, stage: bool, keep_builds: int | None, **fields: Any) -> None:
    """Register a game. What is not given is asked for at a terminal."""
    platform = context.platform()
    found = {name: list(value) if name == "tags" else value for name, value in fields.items() if value}
    game: dict[str, Any] = {"slug": slug, **found, **_ask_for(name for name in _REQUIRED if name not in found)}
    if stage:
        game["autoRelease"] = False
    if keep_builds is not None:
        game["keepBuilds"] = keep_builds
    made = platform.call("POST", "/games", game, headers={"Idempotency-Key": str(uuid.uuid4())})
    context.output.result(
        {"game": made["slug"], "id": made["id"], "status": made["status"]},
        f"{made['slug']} is registered. Run `slipway push DIR {made['slug']}` to send its first build.",
    )


def _ask_for(missing: Any) -> dict[str, Any]:
    names = list(missing)
    if names and not sys.stdin.isatty():
        options = ", ".join(_REQUIRED[name] for name in names)
        raise CommandError(
            f"Missing: {options}. Standard input is not a terminal, so the command cannot ask for them.", ExitCode.USAGE
        )
    answers = {name: str(click.prompt(_PROMPTS[name], err=True)) for name in names}
    return {
        name: [tag.strip() for tag in answer.split(",") if tag.strip()] if name == "tags" else answer
        for name, answer in answers.items()
    }
