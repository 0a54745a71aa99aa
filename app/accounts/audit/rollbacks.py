"""Telling rollbacks from other releases in the audit log.

Both are recorded as `build.released`, with the number of the build that was live before. For an older entry, which does
not have it, the entry of the release before tells which build was live."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import aliased

from app.data.database import in_batches
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry

RELEASED = "build.released"  # as recorded
ROLLED_BACK = "build.rolled_back"  # as read: a release of an older build than the live one

_BUILD = re.compile(r", build ([0-9]{1,9})(?![^ ])")


def build_number(subject: str) -> int | None:
    """The number in a subject such as "Low Tide, build 3" or "Low Tide, build 3 on srv-01"."""
    found = _BUILD.findall(subject)
    return int(found[-1]) if found else None


def is_incomplete(action: str, details: dict[str, Any] | None) -> bool:
    """Whether an entry is a release without the number of the build that was live before."""
    return action == RELEASED and "replaced" not in (details or {})


def subjects_before(entry_ids: Sequence[int]) -> dict[int, str]:
    """Id → subject of the release before, for releases. One query per 5,000, with one look-up in an index for each."""
    before = aliased(AuditEntry)
    subject = (
        select(before.subject)
        .where(before.game_id == AuditEntry.game_id, before.action == RELEASED, before.id < AuditEntry.id)
        .order_by(before.id.desc())
        .limit(1)
        .correlate(AuditEntry)
        .scalar_subquery()
    )
    return {
        entry_id: found
        for batch in in_batches(entry_ids)
        for entry_id, found in db.session.execute(select(AuditEntry.id, subject).where(AuditEntry.id.in_(batch)))
        if found is not None
    }


def replaced_build(details: dict[str, Any] | None, before: str | None) -> int | None:
    """The build that was live before a release. None: no build was. `details`: of its entry; `before`: what
    `subjects_before()` found."""
    known = details or {}
    if "replaced" in known:
        return int(known["replaced"]) if known["replaced"] is not None else None
    return build_number(before) if before else None


def read_action(action: str, subject: str, replaced: int | None) -> str:
    """The action of an entry: ROLLED_BACK for a release of an older build than the `replaced` one."""
    number = build_number(subject) if action == RELEASED and replaced is not None else None
    return ROLLED_BACK if number is not None and replaced is not None and number < replaced else action
