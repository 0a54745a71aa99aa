"""The actor of a change: a key, a member, or the command line. Builds and audit entries store its name as it was
then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class _Named(Protocol):
    @property
    def name(self) -> str: ...


class _Key(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def hint(self) -> str: ...
    @property
    def app(self) -> _Named: ...


class _Member(_Named, Protocol):
    @property
    def id(self) -> str: ...


@dataclass(frozen=True)
class Actor:
    """`name` is for people ("CI · pp_8fK2…x9Qd"); `address` is the client's, or None."""

    name: str
    address: str | None = None
    key_id: str | None = None
    member_id: str | None = None

    @classmethod
    def of_key(cls, key: _Key, address: str | None) -> Actor:
        return cls(f"{key.app.name} · {key.hint}", address, key_id=key.id)

    @classmethod
    def of_member(cls, member: _Member, address: str | None) -> Actor:
        return cls(member.name, address, member_id=member.id)


COMMAND_LINE = Actor("command line")
