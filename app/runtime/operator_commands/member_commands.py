"""`flask member`: people who sign in."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial as bound

import click
from flask.cli import AppGroup

from app.accounts.actors import COMMAND_LINE
from app.accounts.directory.member_directory import all_invitations, all_members, member_with_email
from app.accounts.members import remove_member, remove_operator
from app.accounts.partners import create_member, partner_named
from app.accounts.password_links import link_for_email
from app.accounts.password_rules import check_password
from app.config.settings import settings
from app.config.web_address import local_address, with_web_address
from app.refusals import InvalidRequest
from app.runtime.operator_commands.output import (
    as_json_option,
    confirm,
    partner_option,
    print_result,
    print_rows,
    yes_option,
)
from app.runtime.plain_command import PlainCommand

member_group = AppGroup("member", help="People who sign in.")

_COLUMNS = {"email": "EMAIL", "name": "NAME", "role": "ROLE", "partner": "PARTNER", "lastSeenAt": "LAST SEEN"}
account_partner_option = click.option("--partner", help="The partner's name, if the address has several accounts.")
account_operator_option = click.option(
    "--operator", is_flag=True, help="Choose the operator, if members of partners have this address too."
)


@member_group.command("create", cls=PlainCommand)
@click.argument("email")
@click.option("--partner", help="The partner's name; leave it out for an operator.")
@click.option("--name", default="", help="The person's name.")
@click.option("--role", type=click.Choice(["owner", "developer", "viewer", "operator"]), required=True)
def member_create(email: str, partner: str | None, name: str, role: str) -> None:
    """Make an account with EMAIL that can sign in. The password is prompted for, or read from standard input."""
    if sys.stdin.isatty():
        acceptable = bound(_acceptable_password, names=(name, email, partner or ""))
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, value_proc=acceptable)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    member = create_member(partner_named(partner) if partner else None, email, name, role, password, COMMAND_LINE)
    who = f"{member.name} can sign in with {member.email}" if name else f"{member.email} can sign in"
    click.echo(f"{who} as {member.role}.")


def _acceptable_password(password: str, names: Sequence[str]) -> str:
    """For a prompt, which shows the message and asks again."""
    try:
        check_password(password, *names)
    except InvalidRequest as refused:
        raise click.BadParameter(refused.message) from None
    return password


@member_group.command("link", cls=PlainCommand)
@click.argument("email")
@account_partner_option
@account_operator_option
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


@member_group.command("list", cls=PlainCommand)
@partner_option
@as_json_option
def member_list(partner: str | None, as_json: bool) -> None:
    """List operators, members, and open invitations."""
    found = partner_named(partner) if partner else None
    members = [
        {
            "id": member.id,
            "email": member.email,
            "name": member.name,
            "role": member.role,
            "partner": member.partner.name if member.partner else None,
            "lastSeenAt": member.last_seen_at,
            "invited": False,
        }
        for member in all_members(found)
    ]
    invitations = [
        {
            "id": invitation.id,
            "email": invitation.email,
            "name": "(invited)" if not as_json else None,
            "role": invitation.role,
            "partner": invitation.partner.name,
            "lastSeenAt": None,
            "invited": True,
        }
        for invitation in all_invitations(found)
    ]
    print_rows([*members, *invitations], _COLUMNS, as_json)


@member_group.command("remove", cls=PlainCommand)
@click.argument("email")
@account_partner_option
@account_operator_option
@yes_option
@as_json_option
def member_remove(email: str, partner: str | None, operator: bool, yes: bool, as_json: bool) -> None:
    """Remove the account with EMAIL and end its sign-ins. The only owner of a partner and the only operator stay."""
    member = member_with_email(email, partner_named(partner) if partner else None, operator=operator)
    where = member.partner.name if member.partner else "the operators"
    confirm(f"Remove {member.name} ({member.email}, {member.role}) from {where}?", yes)
    if member.partner is None:
        remove_operator(member.id, COMMAND_LINE)
    else:
        remove_member(member.partner, member.id, COMMAND_LINE)
    print_result(f"{member.name} is removed from {where}.", {"removed": member.id, "email": member.email}, as_json)
