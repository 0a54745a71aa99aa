"""`flask packs`: making packs without waiting for the background work."""

from __future__ import annotations

from collections import Counter

import click
from flask.cli import AppGroup

from app.accounts.partners import partner_named
from app.packing.pack_work import Result, games_with_slug, make_unready_packs
from app.runtime.plain_command import PlainCommand

packs_group = AppGroup("packs", help="Packs, from which game servers install and update.")


@packs_group.command("make", cls=PlainCommand)
@click.option("--game", "slug", help="The slug of a game; without it, packs of all games are made.")
@click.option("--partner", help="The partner's name, if several partners have a game with this slug.")
@click.option("--verify", is_flag=True, help="Read all packs that are there, and make those again that are damaged.")
def packs_make(slug: str | None, partner: str | None, verify: bool) -> None:
    """Make the packs that servers may need and that are not there: new ones, those that failed before, and those whose
    objects are missing in storage. Updates that are due are made too."""
    games = games_with_slug(slug, partner_named(partner) if partner else None) if slug else None
    results: Counter[Result] = Counter()
    for made in make_unready_packs(games, verify=verify):
        click.echo(f"{made.name}: {made.text}")
        results[made.result] += 1
    click.echo(_summary(results))
    if results[Result.FAILED]:
        raise SystemExit(1)


def _summary(results: Counter[Result]) -> str:
    if not results:
        return "Nothing to make: every build has its pack"
    parts = [f"{results[Result.MADE]} made"]
    if results[Result.FAILED]:
        parts.append(f"{results[Result.FAILED]} could not be made")
    if results[Result.SKIPPED]:
        parts.append(f"{results[Result.SKIPPED]} left to other workers or deleted")
    return f"Packs and updates: {', '.join(parts)}"
