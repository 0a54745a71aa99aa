"""The pages and actions that the palette offers: those of a role, of one game, and of one server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.data.models.partner import Member


def _everybody(member: Member) -> bool:
    return True


def _may_write(member: Member) -> bool:
    return member.may_write


def _is_owner(member: Member) -> bool:
    return member.role == "owner"


@dataclass(frozen=True)
class Place:
    """A page, or where an action begins. `endpoint`: of its address, with an `anchor` or "". `words`: other words that
    people type for it. `is_for`: whether a member may open it."""

    name: str
    endpoint: str
    words: str = ""
    is_for: Callable[[Member], bool] = _everybody
    is_action: bool = False
    anchor: str = ""


def _action(
    name: str, endpoint: str, words: str, is_for: Callable[[Member], bool] = _everybody, anchor: str = ""
) -> Place:
    return Place(name, endpoint, words, is_for, is_action=True, anchor=anchor)


_OWN = (
    Place("Profile", "profile.page", "my name browsers sign-ins"),
    Place("API reference", "reference.page", "curl documentation calls"),
    _action("Change your password", "profile.page", "", anchor="your-password"),
)
_OF_PARTNERS = (
    Place("Games", "games.index", "catalog home"),
    Place("Servers", "servers.index", "fleet"),
    Place("Partner", "partner.page", "settings studio name id"),
    Place("Members", "members.page", "settings people team users colleagues roles invitations"),
    Place("API keys", "keys.page", "settings apps secrets tokens ci"),
    Place("Storage and limits", "quota.page", "settings quota"),
    Place("Appearance", "appearance.page", "settings theme dark light"),
    Place("Activity", "activity.page", "settings audit log history releases rollbacks"),
    _action("Register a game", "new_game.page", "new create add", _may_write),
    _action("Create a key", "keys.form", "new make api token ci", _is_owner),
    _action("Add an app", "apps.form", "new create", _is_owner),
    _action("Invite a member", "members.page", "new add people team users colleagues", _is_owner, anchor="invite"),
)
_OF_OPERATORS = (
    Place("Servers", "operator_servers.index", "fleet home"),
    Place("Needs attention", "operator_attention.page", "problems failed"),
    Place("Capacity", "operator_capacity.page", "charts disks transfer"),
    Place("Partners", "operator_partners.index", "studios quota"),
    Place("Storage", "operator_storage.page", "check objects disk"),
    Place("Audit", "operator_audit.page", "activity log history releases rollbacks"),
    _action("Add a server", "operator_add_server.form", "new create agent token"),
    _action("Create a partner", "operator_partners.form", "new create add studio"),
)
OF_A_GAME = (
    Place("Builds", "builds.page", "releases retention rollbacks roll back compare changes"),
    Place("Images", "assets.page", "assets pictures"),
    Place("Components", "components.page", "cards board"),
    Place("Revisions", "revisions.page"),
    Place("Details", "details.page", "cover launcher description slug"),
    Place("Activity", "game_activity.page", "audit log history"),
    _action("Send a build", "game.page", "upload", _may_write, anchor="send"),
    _action("Add a component", "component_form.new", "new create", _may_write),
)
OF_A_SERVER = (
    _action("Roll the token", "operator_token.form", "new agent"),
    _action("Retire", "operator_retirement.form", "remove delete"),
)


def places_of(member: Member) -> Sequence[Place]:
    """The pages and actions that belong to no game or server."""
    places = (*_OF_OPERATORS, *_OWN) if member.is_operator else (*_OF_PARTNERS, *_OWN)
    return [place for place in places if place.is_for(member)]
