"""Callers of a JSON API: a key, or a member at the dashboard. Both have the same methods, so that one declaration of a
call serves both."""

from __future__ import annotations

from dataclasses import dataclass

from app.accounts.actors import Actor
from app.accounts.api_keys.key_uses import key_uses
from app.accounts.api_keys.recognised_keys import RecognisedKey
from app.accounts.keys import require_scope
from app.accounts.partners import dashboard_app_id
from app.data.models.partner import Member, Partner, PartnerIdentity
from app.refusals import Forbidden


@dataclass(frozen=True)
class KeyCaller:
    """A script with an API key. `address` is the client's, for the audit log."""

    key: RecognisedKey
    address: str | None

    @property
    def id(self) -> str:
        """The name under which its calls are counted."""
        return self.key.id

    @property
    def partner(self) -> PartnerIdentity:
        return self.key.app.partner

    @property
    def app_id(self) -> str:
        """The app that owns what this caller sends."""
        return self.key.app.id

    @property
    def actor(self) -> Actor:
        return Actor.of_key(self.key, self.address)

    def require(self, scope: str) -> None:
        """Raises Forbidden if the key lacks this scope."""
        require_scope(self.key, scope)

    def note_use(self) -> None:
        """Record that the key is in use."""
        key_uses().record(self.key.id)


@dataclass(frozen=True)
class MemberCaller:
    """A page of the dashboard, with its member's session."""

    member: Member
    partner: Partner
    address: str | None

    @property
    def id(self) -> str:
        """The name under which its calls are counted."""
        return self.member.id

    @property
    def app_id(self) -> str:
        """The app that owns what this caller sends."""
        return dashboard_app_id(self.partner.id)

    @property
    def actor(self) -> Actor:
        return Actor.of_member(self.member, self.address)

    def require(self, scope: str) -> None:
        """Raises Forbidden for a viewer, whose only scope is `read`."""
        if scope != "read" and not self.member.may_write:
            raise Forbidden(
                f"This is for developers and owners; your role is {self.member.role}. Ask an owner to change it."
            )

    def note_use(self) -> None:
        """Nothing to do: pages record when their member was last seen."""


Caller = KeyCaller | MemberCaller
