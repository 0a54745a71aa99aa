"""`flask key`: API keys."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from app.accounts.actors import COMMAND_LINE
from app.accounts.directory.key_directory import all_keys, key_named
from app.accounts.keys import create_key, revoke_key
from app.accounts.partners import partner_named
from app.runtime.operator_commands.output import (
    as_json_option,
    confirm,
    partner_option,
    print_result,
    print_rows,
    yes_option,
)
from app.runtime.plain_command import PlainCommand

key_group = AppGroup("key", help="API keys.")

_COLUMNS = {
    "id": "ID",
    "hint": "KEY",
    "app": "APP",
    "partner": "PARTNER",
    "scopes": "SCOPES",
    "lastUsedAt": "LAST USED",
    "expiresAt": "EXPIRES",
}


@key_group.command("create", cls=PlainCommand)
@click.option("--partner", required=True, help="The partner's name.")
@click.option("--app", "app_name", default="CI", show_default=True, help="What the key is for.")
@click.option("--scope", "scopes", multiple=True, default=["read", "write", "upload"], show_default=True)
@click.option("--expires-in-days", type=int, help="After how many days the key is refused.  [default: never]")
def key_create(partner: str, app_name: str, scopes: tuple[str, ...], expires_in_days: int | None) -> None:
    """Make an API key and print it, once."""
    key, secret = create_key(partner_named(partner), app_name, scopes, COMMAND_LINE, lifetime_days=expires_in_days)
    click.echo(secret)
    if key.expires_at:
        click.echo(f"It expires on {key.expires_at:%Y-%m-%d at %H:%M} UTC.", err=True)
    click.echo("This is the only time the key is shown: store it now.", err=True)


@key_group.command("list", cls=PlainCommand)
@partner_option
@as_json_option
def key_list(partner: str | None, as_json: bool) -> None:
    """List the keys that work, without their secrets."""
    rows = [
        {
            "id": key.id,
            "hint": key.hint,
            "name": key.name,
            "app": key.app.name,
            "partner": key.app.partner.name,
            "scopes": list(key.scopes),
            "createdAt": key.created_at,
            "createdBy": key.created_by,
            "lastUsedAt": key.last_used_at,
            "expiresAt": key.expires_at,
        }
        for key in all_keys(partner_named(partner) if partner else None)
    ]
    print_rows(rows, _COLUMNS, as_json)


@key_group.command("revoke", cls=PlainCommand)
@click.argument("key")
@yes_option
@as_json_option
def key_revoke(key: str, yes: bool, as_json: bool) -> None:
    """Revoke KEY, given by its id or as lists show it (pp_8fK2…x9Qd). It stops working at once."""
    found = key_named(key)
    name = f"{found.app.name} · {found.hint} of {found.app.partner.name}"
    used = f"was last used {found.last_used_at:%Y-%m-%d %H:%M} UTC" if found.last_used_at else "was never used"
    confirm(f"Revoke {name}? It {used}.", yes)
    revoke_key(found, COMMAND_LINE)
    print_result(f"{name} is revoked.", {"revoked": found.id, "hint": found.hint}, as_json)
