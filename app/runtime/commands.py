"""`flask` commands for operators. They call the same domain functions as the APIs and pages."""

from __future__ import annotations

import logging
from datetime import timedelta

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from flask_migrate import upgrade

from app.config.settings import settings
from app.data.database import free_connection
from app.data.schema_version import MIGRATIONS, migration_missing
from app.maintenance import build_sweep
from app.process import shutdown
from app.process.service import EndRequests, notify_ready
from app.runtime import demo_data, doctor
from app.runtime.backup_commands import backup_command, restore_command
from app.runtime.jobs import jobs
from app.runtime.metrics_listener import listen_for_scrapes
from app.runtime.operator_commands.key_commands import key_group
from app.runtime.operator_commands.member_commands import member_group
from app.runtime.operator_commands.output import counted
from app.runtime.operator_commands.partner_commands import partner_group
from app.runtime.operator_commands.quota_commands import quota_group
from app.runtime.operator_commands.server_commands import server_group
from app.runtime.pack_commands import packs_group
from app.runtime.plain_command import PlainCommand
from app.runtime.storage_commands import storage_group

STOP_SECONDS = 8.0


@click.command("sweep", cls=PlainCommand)
@with_appcontext
@click.option(
    "--young-minutes",
    type=click.IntRange(min=0),
    default=60,
    show_default=True,
    help="Skip objects younger than this.",
)
def sweep_command(young_minutes: int) -> None:
    """Remove the leftovers of abandoned uploads, deleted games and lost rows from storage."""
    swept = build_sweep.sweep(timedelta(minutes=young_minutes))
    click.echo(
        f"Removed {swept.uploads} abandoned uploads, {swept.games} deleted games, {swept.packs} packs that no server "
        f"needs, {swept.objects} objects: {swept.bytes_freed:,} bytes freed."
    )


@click.command("check", cls=PlainCommand)
@with_appcontext
def check_command() -> None:
    """List builds without objects and objects without rows; exit code 1 when a build's bytes are missing."""
    found = build_sweep.check()
    for missing in found.missing:
        click.echo(f"missing   {missing}")
    for orphan in found.orphans:
        click.echo(f"orphan    {orphan.key} ({orphan.size:,} bytes)")
    for transfer in found.transfers:
        click.echo(f"unfinished {transfer}")
    click.echo(
        f"{counted(found.builds, 'build')} and {counted(found.packs, 'pack')}: "
        f"{counted(len(found.missing), 'object')} missing; {counted(len(found.orphans), 'object')} and "
        f"{counted(len(found.transfers), 'unfinished transfer')} without a row (flask sweep removes them)."
    )
    if found.missing:
        raise SystemExit(1)


@click.command("doctor", cls=PlainCommand)
@with_appcontext
def doctor_command() -> None:
    """Check this installation and print what to set; exit code 1 when a check fails."""
    states = []
    for name, result in doctor.results():
        click.echo(f"{result.state:<8} {name}: {result.text}")
        states.append(result.state)
    click.echo(f"{len(states)} checks, {states.count('failed')} failed.")
    if "failed" in states:
        raise SystemExit(1)


@click.command("worker", cls=PlainCommand)
@with_appcontext
def worker_command() -> None:
    """Run background work in this process, for installations with REDIS_URL. A signal ends it in order: it frees the
    claims of its checks for the other workers."""
    if missing := migration_missing(settings().database_url):
        raise click.ClickException(missing)
    _ = settings().storage_settings  # it is read at the start only, so that a worker without one stays without one
    requests = EndRequests()
    working = jobs(current_app)
    working.start_workers()
    if listen := settings().metrics_listen:
        app = current_app._get_current_object()  # type: ignore[attr-defined]  # what the proxy stands for
        listen_for_scrapes(app, listen, settings().metrics_token)
    free_connection()
    logging.getLogger(__name__).info("the worker is ready")
    notify_ready()
    requests.wait()
    shutdown.begin(0)
    working.stop_workers()
    working.wait(STOP_SECONDS)


@click.command("prepare-demo", hidden=True)
@click.argument("base_url")
def prepare_demo_command(base_url: str) -> None:
    """Migrate the database and make the demo data; `make run` does this before the web server starts.

    In a process of its own, so that the supervisor holds no database connection and can be stopped at any time.
    """
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # what the proxy stands for
    found = settings()
    with app.app_context():
        upgrade(directory=str(MIGRATIONS))
    demo_data.prepare(app, base_url=base_url, storage=found.storage_settings, instance=found.instance)


def init_app(app: Flask) -> None:
    """Register every command."""
    for command in (
        prepare_demo_command,
        partner_group,
        member_group,
        key_group,
        server_group,
        quota_group,
        packs_group,
        storage_group,
        sweep_command,
        check_command,
        doctor_command,
        backup_command,
        restore_command,
        worker_command,
    ):
        app.cli.add_command(command)
