"""The signed-in member and their partner. Lookups go through that partner, which is the authorization."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, cast
from urllib.parse import urlsplit

from flask import current_app, g, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.accounts import sign_ins
from app.accounts.actors import Actor
from app.accounts.members import members_of
from app.catalog.game_lookup import find_game
from app.data.extensions import login
from app.data.models.game import Game
from app.data.models.partner import Member, Partner, SignIn
from app.limits.counted_requests import Credential, Requester, not_recognised, recognised
from app.refusals import Forbidden


@dataclass(frozen=True)
class SignedInUser:
    """Flask-Login's user: a member, their sign-in on this browser, and the token in its cookie."""

    sign_in: SignIn
    member: Member
    token: str

    is_authenticated: ClassVar[bool] = True
    is_active: ClassVar[bool] = True
    is_anonymous: ClassVar[bool] = False

    def get_id(self) -> str:
        return self.token


def load_user(token: str) -> SignedInUser | None:
    """Flask-Login's user loader: the sign-in with the token in the cookie, unless it has ended."""
    found = sign_ins.sign_in_of(token)
    if found is None:
        not_recognised(Credential.SESSION)
        return None
    member = found.member
    group = f"partner {member.partner_id}" if member.partner_id else f"operator {member.id}"
    recognised(Credential.SESSION, Requester(group, f"member {member.id}"))
    return SignedInUser(found, member, token)


def _signed_in_user() -> SignedInUser | None:
    return cast(SignedInUser, current_user) if current_user and current_user.is_authenticated else None


def forget_cached_user() -> None:
    """Look the sign-in up again from here on: it may have ended while a body was read."""
    g.pop("_login_user", None)  # where Flask-Login keeps it


def signed_in_member() -> Member | None:
    """The signed-in member of this request, or None."""
    visit = _signed_in_user()
    return visit.member if visit else None


def sign_in_or_none() -> SignIn | None:
    """The sign-in of this browser, or None."""
    visit = _signed_in_user()
    return visit.sign_in if visit else None


def sign_in_token() -> str | None:
    """The token of this browser's sign-in, or None."""
    visit = _signed_in_user()
    return visit.token if visit else None


def current_sign_in() -> SignIn:
    """The sign-in of this request. Only for views behind `require_sign_in`."""
    found = sign_in_or_none()
    if found is None:
        raise RuntimeError("this view is not behind require_sign_in")
    return found


def require_sign_in() -> ResponseReturnValue | None:
    """For `before_request` of members' pages: ask visitors to sign in, and record when a member was last seen."""
    found = sign_in_or_none()
    if found is None:
        return cast(ResponseReturnValue, login.unauthorized())
    sign_ins.record_seen(found)
    return None


def needs_sign_in() -> bool:
    """Whether the view of this request is behind `require_sign_in`."""
    return require_sign_in in current_app.before_request_funcs.get(request.blueprint, ())


def me() -> Member:
    """The member of this request. Only for views behind `require_sign_in`."""
    member = signed_in_member()
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
    """The member, as builds and the audit log record them."""
    return Actor.of_member(me(), request.remote_addr)


def require_write(what: str) -> None:
    """Raises Forbidden for a viewer."""
    if not me().may_write:
        raise Forbidden(f"{what} is for developers and owners; your role is {me().role}. Ask an owner to change it.")


def require_owner(what: str) -> None:
    """Raises Forbidden, with the owners' names, unless the member is an owner of the partner."""
    if me().role != "owner":
        owners = " or ".join(owner_names(my_partner()))
        raise Forbidden(f"{what} is for owners; your role is {me().role}. Ask {owners}.")


def owner_names(partner: Partner) -> list[str]:
    """The names of the partner's owners."""
    return [member.name for member in members_of(partner) if member.role == "owner"]


def local_address(address: str | None, otherwise: str) -> str:
    """`address` if it is a path on this host, else `otherwise`. Prevents open redirects."""
    if not address or not address.startswith("/") or address.startswith("//"):
        return otherwise
    # Browsers read a backslash as a slash and drop control characters: "/\evil", "/\t/evil".
    if "\\" in address or any(ord(character) < 0x20 or ord(character) == 0x7F for character in address):
        return otherwise
    parts = urlsplit(address)
    return otherwise if parts.scheme or parts.netloc else address


def current_address() -> str:
    """The address of the current page, for redirecting back to it."""
    return request.full_path.rstrip("?") if request.method == "GET" else request.path
