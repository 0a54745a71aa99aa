"""`flask` commands for operators. They call the same domain functions as the APIs and pages."""

from __future__ import annotations

import logging
import sys
from datetime import timedelta

import click
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext
from flask_migrate import upgrade

from app.accounts.actors import COMMAND_LINE
from app.accounts.keys import create_key
from app.accounts.partners import create_member, create_partner, partner_named
from app.accounts.password_links import link_for_email
from app.config.settings import settings
from app.config.web_address import local_address, with_web_address
from app.data.database import free_connection
from app.data.schema_version import MIGRATIONS, migration_missing
from app.fleet.servers import add_server, set_keep_previous
from app.maintenance import build_sweep
from app.process import shutdown
from app.process.service import EndRequests, notify_ready
from app.runtime import demo_data, doctor
from app.runtime.backup_commands import backup_command, restore_command
from app.runtime.jobs import jobs
from app.runtime.pack_commands import packs_group
from app.runtime.plain_command import PlainCommand
from app.runtime.storage_commands import storage_group

STOP_SECONDS = 8.0

partner_group = AppGroup("partner", help="Partners.")
member_group = AppGroup("member", help="People who sign in.")
key_group = AppGroup("key", help="API keys.")
server_group = AppGroup("server", help="Game servers.")


@partner_group.command("create", cls=PlainCommand)
@click.argument("name")
def partner_create(name: str) -> None:
    """Make a partner named NAME."""
    partner = create_partner(name, COMMAND_LINE)
    click.echo(f"Partner '{partner.name}' made: {partner.id}")


@member_group.command("create", cls=PlainCommand)
@click.argument("email")
@click.option("--partner", help="The partner's name; leave it out for an operator.")
@click.option("--name", default="", help="The person's name.")
@click.option("--role", type=click.Choice(["owner", "developer", "viewer", "operator"]), required=True)
def member_create(email: str, partner: str | None, name: str, role: str) -> None:
    """Make an account with EMAIL that can sign in. The password is prompted for, or read from standard input."""
    if sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    member = create_member(partner_named(partner) if partner else None, email, name, role, password, COMMAND_LINE)
    click.echo(f"{member.name} can sign in with {member.email} as {member.role}.")


@member_group.command("link", cls=PlainCommand)
@click.argument("email")
@click.option("--partner", help="The partner's name, if the address has several accounts.")
@click.option("--operator", is_flag=True, help="Choose the operator, if members of partners have this address too.")
def member_link(email: str, partner: str | None, operator: bool) -> None:
    """Print a link with which the owner of EMAIL sets a new password, once."""
    found = partner_named(partner) if partner else None
    link, secret = link_for_email(email, COMMAND_LINE, found, operator=operator)
    own = with_web_address(settings())
    base = own.base_url or local_address(own.host, own.port)
    click.echo(f"{base}/new-password/{secret}")
    click.echo(
        f"{link.member.name} can set a new password with it, once and within a day. This is the only time it is shown.",
        err=True,
    )


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


@server_group.command("add", cls=PlainCommand)
@click.argument("server_id")
@click.option("--region", default="", help="Where the server is, such as fra.")
def server_add(server_id: str, region: str) -> None:
    """Add a game server and print its token, once."""
    _, token = add_server(server_id, region, COMMAND_LINE)
    click.echo(token)
    click.echo("This is the only time the token is shown: give it to the server's agent now.", err=True)


@server_group.command("keep", cls=PlainCommand)
@click.argument("server_id")
@click.argument("builds", type=int)
def server_keep(server_id: str, builds: int) -> None:
    """Set how many BUILDS per game a server keeps beside the live one, for rolling back."""
    set_keep_previous(server_id, builds, COMMAND_LINE)
    click.echo(f"{server_id} keeps {builds} {'build' if builds == 1 else 'builds'} per game for rolling back.")


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
    """Remove the leftovers of dead uploads, deleted games and lost rows from storage."""
    swept = build_sweep.sweep(timedelta(minutes=young_minutes))
    click.echo(
        f"Removed {swept.uploads} dead uploads, {swept.games} deleted games, {swept.packs} packs that no server needs, "
        f"{swept.objects} objects: {swept.bytes_freed:,} bytes freed."
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
        f"{found.builds} builds and {found.packs} packs: {len(found.missing)} objects missing; "
        f"{len(found.orphans)} objects and "
        f"{len(found.transfers)} unfinished transfers without a row (flask sweep removes them)."
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
    requests = EndRequests()
    working = jobs(current_app)
    working.start_workers()
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
