"""A partner's members and open invitations as one list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.accounts.members import PARTNER_ROLES, members_of, open_invitations
from app.data.list_orders import places_on_page
from app.data.models.partner import Invitation, Member, Partner
from app.data.text_search import contains, fold

MEMBERS_PER_PAGE = 50
INVITED = "invited"  # beside the roles, a filter of its own
_NEVER = datetime.min.replace(tzinfo=UTC)

Person = Member | Invitation
# What each order compares, by its name in an address. Invitations, which have no name and were never seen, come last.
MEMBER_ORDERS: dict[str, Callable[[Person], Any]] = {
    "role": lambda person: PARTNER_ROLES.index(person.role),
    "name": lambda person: fold(person.name) if isinstance(person, Member) else "",
    "email": lambda person: person.email,
    "seen": lambda person: (person.last_seen_at if isinstance(person, Member) else None) or _NEVER,
}


@dataclass(frozen=True)
class MemberFilter:
    """`text`: in name or e-mail address. `role`: of PARTNER_ROLES, INVITED, or "" for all. `sort`: a name of
    MEMBER_ORDERS, with a minus sign for the opposite; "": owners first, then by name. `page`: from 1."""

    text: str = ""
    role: str = ""
    sort: str = ""
    page: int = 1


@dataclass(frozen=True)
class MemberList:
    """The `people` of one page. `matching`: of all pages. `counts`: of members by role, and of invitations as INVITED,
    without the filter."""

    people: Sequence[Person]
    matching: int
    counts: Counter[str]

    @property
    def members(self) -> int:
        return self.counts.total() - self.counts[INVITED]


def list_members(partner: Partner, wanted: MemberFilter) -> MemberList:
    """Two queries. A page beyond the last one is the last."""
    people: list[Person] = [*members_of(partner), *open_invitations(partner)]
    counts = Counter(_group(person) for person in people)
    found = [person for person in people if _matches(person, wanted)]
    if wanted.sort:
        value = MEMBER_ORDERS[wanted.sort.removeprefix("-")]
        found.sort(key=value, reverse=wanted.sort.startswith("-"))
        found.sort(key=lambda person: isinstance(person, Invitation))
    return MemberList(found[places_on_page(wanted.page, len(found), MEMBERS_PER_PAGE)], len(found), counts)


def _group(person: Person) -> str:
    return person.role if isinstance(person, Member) else INVITED


def _matches(person: Person, wanted: MemberFilter) -> bool:
    if wanted.role and _group(person) != wanted.role:
        return False
    name = person.name if isinstance(person, Member) else ""
    return not wanted.text or contains(wanted.text, (name, person.email))
