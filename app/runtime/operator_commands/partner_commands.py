"""`flask partner`: partners."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from app.accounts.actors import COMMAND_LINE
from app.accounts.partner_list import directory
from app.accounts.partners import create_partner, partner_named
from app.catalog.partner_removal import close_partner, remove_partner
from app.runtime.operator_commands.output import as_json_option, confirm, counted, print_result, print_rows, yes_option
from app.runtime.plain_command import PlainCommand

partner_group = AppGroup("partner", help="Partners.")

_COLUMNS = {
    "id": "ID",
    "name": "NAME",
    "games": "GAMES",
    "members": "MEMBERS",
    "owners": "OWNERS",
    "createdAt": "SINCE",
}


@partner_group.command("create", cls=PlainCommand)
@click.argument("name")
def partner_create(name: str) -> None:
    """Create a partner named NAME."""
    partner = create_partner(name, COMMAND_LINE)
    click.echo(f"Partner '{partner.name}' created: {partner.id}")


@partner_group.command("list", cls=PlainCommand)
@as_json_option
def partner_list(as_json: bool) -> None:
    """List the partners with their counts. `flask quota show` has their sizes."""
    rows = [
        {
            "id": entry.id,
            "name": entry.name,
            "games": entry.games,
            "members": entry.members,
            "owners": entry.owners,
            "invited": entry.invited,
            "createdAt": entry.created_at,
        }
        for entry in directory()
    ]
    print_rows(rows, _COLUMNS, as_json)


@partner_group.command("remove", cls=PlainCommand)
@click.argument("name")
@click.option("--with-games", is_flag=True, help="Remove its members and keys and delete its games first.")
@yes_option
@as_json_option
def partner_remove(name: str, with_games: bool, yes: bool, as_json: bool) -> None:
    """Remove the partner with this NAME or id, its members and keys. It may have no games.

    With --with-games, its members and keys go at once, and its games are deleted. Servers then remove their builds,
    which takes some minutes: run the command again after that.
    """
    partner = partner_named(name)
    entry = next(entry for entry in directory() if entry.id == partner.id)
    games = f" {counted(entry.games, 'game')} with all builds and images go too." if with_games else ""
    members = counted(entry.members, "member")
    confirm(f"Remove {partner.name} with {members} and all its keys?{games} This cannot be undone.", yes)
    if with_games:
        close_partner(partner, COMMAND_LINE)
    remove_partner(partner, COMMAND_LINE)
    print_result(f"{partner.name} is removed.", {"removed": partner.id, "name": partner.name}, as_json)
