"""Who is looking: the signed-in member and their partner. Looking things up through that partner authorises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, cast
from urllib.parse import urlsplit

from flask import request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.accounts import sign_ins
from app.accounts.actors import Actor
from app.accounts.members import members_of
from app.catalog.game_lookup import find_game
from app.data.extensions import login
from app.data.models.game import Game
from app.data.models.partner import Member, Partner, SignIn
from app.refusals import Forbidden


@dataclass(frozen=True)
class Visit:
    """What Flask-Login calls a user: a member in this browser, and the token in its cookie."""

    sign_in: SignIn
    member: Member
    token: str

    is_authenticated: ClassVar[bool] = True
    is_active: ClassVar[bool] = True
    is_anonymous: ClassVar[bool] = False

    def get_id(self) -> str:
        return self.token


def visit_of(token: str) -> Visit | None:
    """Flask-Login's user loader: the sign-in with the token in the cookie, unless it has ended."""
    found = sign_ins.sign_in_of(token)
    return Visit(found, found.member, token) if found else None


def _visit() -> Visit | None:
    return cast(Visit, current_user) if current_user and current_user.is_authenticated else None


def signed_in() -> Member | None:
    """The member behind this request, or None."""
    visit = _visit()
    return visit.member if visit else None


def sign_in_here() -> SignIn | None:
    """The sign-in of this browser, or None."""
    visit = _visit()
    return visit.sign_in if visit else None


def token_here() -> str | None:
    """The token of this browser's sign-in, or None."""
    visit = _visit()
    return visit.token if visit else None


def current_sign_in() -> SignIn:
    """The sign-in behind a request that a signed-in view answers."""
    found = sign_in_here()
    if found is None:
        raise RuntimeError("this view is not behind require_sign_in")
    return found


def require_sign_in() -> ResponseReturnValue | None:
    """For `before_request` of pages that belong to members: who is not signed in is asked to, who is was here now."""
    found = sign_in_here()
    if found is None:
        return cast(ResponseReturnValue, login.unauthorized())
    sign_ins.record_seen(found)
    return None


def me() -> Member:
    """The member behind a request that a signed-in view answers."""
    member = signed_in()
    if member is None:
        raise RuntimeError("this view is not behind require_sign_in")
    return member


def my_partner() -> Partner:
    """The member's partner. Raises Forbidden for an operator, who belongs to none."""
    partner = me().partner
    if partner is None:
        raise Forbidden(
            "This page belongs to a partner, and you are signed in as an operator, who belongs to none. "
            "Sign in as a member of the partner whose page you want to see."
        )
    return partner


def my_game(slug: str) -> Game:
    """A game of the member's partner. Raises NotFound, and Forbidden for an operator."""
    return find_game(my_partner(), slug)


def my_actor() -> Actor:
    """The member, as builds and the audit log remember them."""
    return Actor.of_member(me(), request.remote_addr)


def require_write(what: str) -> None:
    """Raises Forbidden for a viewer."""
    if not me().may_write:
        raise Forbidden(f"{what} is for developers and owners; your role is {me().role}. Ask an owner to change it.")


def require_owner(what: str) -> None:
    """Raises Forbidden for everybody but an owner of the partner; says who is one."""
    if me().role != "owner":
        owners = " or ".join(owners_of(my_partner()))
        raise Forbidden(f"{what} is for owners; your role is {me().role}. Ask {owners}.")


def owners_of(partner: Partner) -> list[str]:
    """The names of those whom a developer or viewer can ask."""
    return [member.name for member in members_of(partner) if member.role == "owner"]


def local_address(address: str | None, otherwise: str) -> str:
    """`address` if it leads to a page of ours, else `otherwise`: never a redirect to somewhere else."""
    if not address or not address.startswith("/") or address.startswith("//"):
        return otherwise
    # Browsers read a backslash as a slash and drop control characters: "/\evil", "/\t/evil".
    if "\\" in address or any(ord(character) < 0x20 or ord(character) == 0x7F for character in address):
        return otherwise
    parts = urlsplit(address)
    return otherwise if parts.scheme or parts.netloc else address


def here() -> str:
    """The present page's own address, for coming back to it."""
    return request.full_path.rstrip("?") if request.method == "GET" else request.path
