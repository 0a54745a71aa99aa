"""The list of members in addresses. Actions keep its filters in their own addresses, so that each returns to the same
list."""

from __future__ import annotations

from flask import url_for

from app.accounts.directory.member_list import INVITED, MemberFilter
from app.web.lists.list_address import ActiveFilter, ListAddress, quoted, requested_list

# Filters by role: key in the address -> label.
ROLE_FILTERS = {"": "All", "owner": "Owners", "developer": "Developers", "viewer": "Viewers", INVITED: "Invited"}
# As in app/accounts/directory/member_list.py.
MEMBER_SORTS = {
    "role": "Owners first",
    "-role": "Viewers first",
    "name": "Name, A to Z",
    "-name": "Name, Z to A",
    "email": "Email, A to Z",
    "-email": "Email, Z to A",
    "-seen": "Seen last",
    "seen": "Seen longest ago",
}


def requested_members() -> ListAddress:
    """The list in the address of this request. Raises InvalidRequest for an impossible page."""
    return requested_list(url_for("members.page"), "page", orders=MEMBER_SORTS, role=ROLE_FILTERS)


def members_url() -> str:
    """The list that the action of this request returns to."""
    return requested_members().url()


def member_filter(address: ListAddress) -> MemberFilter:
    """The filter of an address."""
    return MemberFilter(address.value("q"), address.value("role"), address.value("sort"), address.page)


def active_member_filters(address: ListAddress) -> list[ActiveFilter]:
    """The filters in use."""
    role = address.value("role")
    return address.active_filters(q=quoted(address.value("q")), role=ROLE_FILTERS[role] if role else "")
