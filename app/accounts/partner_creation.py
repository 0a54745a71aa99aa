"""Creating a partner with an invitation for its first owner."""

from __future__ import annotations

from sqlalchemy import func, select

from app.accounts.actors import Actor
from app.accounts.members import invite
from app.accounts.partners import checked_email, checked_partner_name, create_partner, set_build_quota
from app.data.extensions import db
from app.data.models.partner import Invitation, Partner
from app.refusals import InvalidRequest


def create_partner_with_owner(
    name: str, email: str, quota: int | None, actor: Actor
) -> tuple[Partner, Invitation, str]:
    """The partner, the invitation and the secret of its link, which is shown once. Raises InvalidRequest naming the
    field `name`, `email` or `quota`.

    All checks come before the first change.
    """
    name, email = checked_partner_name(name), checked_email(email)
    if db.session.scalar(select(Partner.id).where(func.lower(Partner.name) == name.lower())):
        message = f"A partner named “{name}” exists already. Choose another name."
        raise InvalidRequest(message, {"name": message})
    if quota is not None and quota < 0:
        raise InvalidRequest("A quota is a number of bytes of at least 0.", {"quota": "at least 0"})
    partner = create_partner(name, actor)
    if quota is not None:
        set_build_quota(partner, quota, actor)
    invitation, secret = invite(partner, email, "owner", actor)
    return partner, invitation, secret
