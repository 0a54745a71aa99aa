"""Members and invitations as rows of the members page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.accounts.directory.member_list import Person
from app.data.models.partner import Invitation, Member
from app.web.accounts.invitation import invitation_address
from app.web.frame.current_user import me
from app.web.frame.formats import Moment, Phrase

CAPABILITIES = ("See games and servers", "Send builds and images", "Release and roll back", "Keys and members")
# Role -> whether it has each of the capabilities.
ROLE_CAPABILITIES = {
    "Owner": (True, True, True, True),
    "Developer": (True, True, True, False),
    "Viewer": (True, False, False, False),
}


@dataclass(frozen=True)
class MemberLine:
    """One member. `only_owner`: the last owner, who can neither be removed nor get another role."""

    id: str
    name: str
    email: str
    role: str
    you: bool
    only_owner: bool
    seen: Phrase


@dataclass(frozen=True)
class InvitationLine:
    id: str
    email: str
    role: str
    expires: Moment


@dataclass(frozen=True)
class NewInvitation:
    """An invitation that was just made, with its link, which is shown only in this response."""

    email: str
    link: str
    until: Moment

    @classmethod
    def of(cls, invitation: Invitation, secret: str) -> NewInvitation:
        return cls(invitation.email, invitation_address(secret), Moment(invitation.expires_at, "end"))


def member_lines(people: Sequence[Person], owners: int) -> list[MemberLine]:
    """One line per member. `owners`: how many the partner has."""
    return [
        MemberLine(
            id=member.id,
            name=member.name,
            email=member.email,
            role=member.role,
            you=member.id == me().id,
            only_owner=member.role == "owner" and owners == 1,
            seen=_seen(member),
        )
        for member in people
        if isinstance(member, Member)
    ]


def _seen(member: Member) -> Phrase:
    if member.id == me().id:
        return ("Now, this browser",)
    return (Moment(member.last_seen_at, "recent"),) if member.last_seen_at else ("Never",)


def invitation_lines(people: Sequence[Person]) -> list[InvitationLine]:
    """One line per open invitation."""
    return [
        InvitationLine(invitation.id, invitation.email, invitation.role, Moment(invitation.expires_at, "day"))
        for invitation in people
        if isinstance(invitation, Invitation)
    ]
