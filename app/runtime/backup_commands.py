"""`flask backup` and `flask restore`."""

from __future__ import annotations

from pathlib import Path

import click
from flask.cli import with_appcontext

from app.config.settings import settings
from app.data.schema_version import migration_missing
from app.maintenance.backup.copies import make_backup, restore_backup
from app.runtime.plain_command import PlainCommand

_FOLDER = click.Path(file_okay=False, path_type=Path)
_MANY = 100


@click.command("backup", cls=PlainCommand)
@with_appcontext
@click.argument("folder", type=_FOLDER)
def backup_command(folder: Path) -> None:
    """Back up the database, all objects and the secret that signs sessions into FOLDER, while the portal runs. Into the
    FOLDER of an earlier backup, only new objects are copied."""
    _require_migrated()
    result = make_backup(folder)
    found = result.manifest
    click.echo(
        f"Backed up {sum(found.rows.values()):,} rows and {found.objects:,} objects ({found.bytes:,} bytes, "
        f"{result.new_objects:,} objects new) in {folder}."
    )
    for key in result.missing:
        click.echo(f"missing   {key}")
    if result.missing:
        click.echo(f"{len(result.missing)} objects were lost in storage before (flask check).", err=True)
        raise SystemExit(1)


@click.command("restore", cls=PlainCommand)
@with_appcontext
@click.argument("folder", type=_FOLDER)
def restore_command(folder: Path) -> None:
    """Restore the backup in FOLDER into an empty, migrated database. Objects that are in storage already stay. Run it
    again after a failure."""
    _require_migrated()
    result = restore_backup(folder, _show)
    found = result.manifest
    click.echo(
        f"Restored {sum(found.rows.values()):,} rows and {found.objects:,} objects ({result.present:,} were there "
        f"already) of {found.made_at}."
    )
    if result.signed_out:
        click.echo("SECRET_KEY is another one than in the backup: everybody has to sign in again.", err=True)


def _show(done: int, total: int) -> None:
    if done % _MANY == 0:
        click.echo(f"{done:,} of {total:,} objects", err=True)


def _require_migrated() -> None:
    if missing := migration_missing(settings().database_url):
        raise click.ClickException(missing)
