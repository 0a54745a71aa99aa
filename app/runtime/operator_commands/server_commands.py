"""`flask server`: game servers."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from app.accounts.actors import COMMAND_LINE
from app.fleet.overviews.fleet_overview import fleet_overview, fleet_server
from app.fleet.overviews.server_totals import cached_live_builds
from app.fleet.servers import add_server, retire_server, roll_token, set_keep_previous
from app.runtime.operator_commands.output import as_json_option, confirm, counted, print_result, print_rows, yes_option
from app.runtime.plain_command import PlainCommand

server_group = AppGroup("server", help="Game servers.")

_COLUMNS = {
    "id": "ID",
    "region": "REGION",
    "state": "STATE",
    "liveBuildsCached": "LIVE BUILDS CACHED",
    "liveBuilds": "LIVE BUILDS",
    "sessions": "SESSIONS",
    "agentVersion": "AGENT",
    "reportedAt": "REPORTED",
}


@server_group.command("add", cls=PlainCommand)
@click.argument("server_id")
@click.option("--region", default="", help="Where the server is, such as fra.")
def server_add(server_id: str, region: str) -> None:
    """Add a game server and print its token, once."""
    _, token = add_server(server_id, region, COMMAND_LINE)
    _print_token(token)


@server_group.command("keep", cls=PlainCommand)
@click.argument("server_id")
@click.argument("builds", type=int)
def server_keep(server_id: str, builds: int) -> None:
    """Set how many BUILDS per game a server keeps beside the live one, for rolling back."""
    set_keep_previous(server_id, builds, COMMAND_LINE)
    click.echo(f"{server_id} keeps {counted(builds, 'build')} per game for rolling back.")


@server_group.command("list", cls=PlainCommand)
@as_json_option
def server_list(as_json: bool) -> None:
    """List the active servers, worst state first."""
    rows = [
        {
            "id": server.id,
            "region": server.region or None,
            "state": server.state,
            "liveBuildsCached": cached_live_builds(server),
            "liveBuilds": server.tally.builds,
            "sessions": server.sessions,
            "agentVersion": server.agent_version,
            "tokenHint": server.token_hint,
            "keepPrevious": server.keep_previous,
            "pausedAt": server.paused_at,
            "reportedAt": server.reported_at,
        }
        for server in fleet_overview().servers
    ]
    print_rows(rows, _COLUMNS, as_json)


@server_group.command("roll", cls=PlainCommand)
@click.argument("server_id")
@yes_option
def server_roll(server_id: str, yes: bool) -> None:
    """Revoke a server's token and print a new one, once. Its agent has no access until it gets the new token."""
    server = fleet_server(server_id)
    confirm(f"Roll the token {server.token_hint} of {server_id}? The old one stops working now.", yes)
    _print_token(roll_token(server_id, COMMAND_LINE, server.token_hint))


@server_group.command("retire", cls=PlainCommand)
@click.argument("server_id")
@yes_option
@as_json_option
def server_retire(server_id: str, yes: bool, as_json: bool) -> None:
    """Remove a server from the fleet. Its token stops working, and its sessions count as ended."""
    server = fleet_server(server_id)
    confirm(f"Retire {server_id}, with {counted(server.sessions, 'running session')}? This cannot be undone.", yes)
    retire_server(server_id, COMMAND_LINE)
    print_result(f"{server_id} is retired.", {"retired": server_id}, as_json)


def _print_token(token: str) -> None:
    click.echo(token)
    click.echo("This is the only time the token is shown: give it to the server's agent now.", err=True)
