"""`flask packs`: making packs without waiting for the background work."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from app.accounts.partners import partner_named
from app.packing.pack_work import games_with_slug, make_unready_packs
from app.runtime.plain_command import PlainCommand

packs_group = AppGroup("packs", help="Packs, from which game servers install and update.")


@packs_group.command("make", cls=PlainCommand)
@click.option("--game", "slug", help="The slug of a game; without it, packs of all games are made.")
@click.option("--partner", help="The partner's name, if several partners have a game with this slug.")
def packs_make(slug: str | None, partner: str | None) -> None:
    """Make the packs that servers may need and that are not there: new ones, those that failed before, and those whose
    objects are missing in storage."""
    games = games_with_slug(slug, partner_named(partner) if partner else None) if slug else None
    failed = 0
    for made in make_unready_packs(games):
        click.echo(f"{made.name}: {made.result}")
        failed += made.failed
    if failed:
        raise SystemExit(1)
