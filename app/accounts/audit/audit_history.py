"""Reading the audit log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from sqlalchemy import Row, Select, case, select

from app.accounts.audit.key_names import KeyNames, KeyText, key_names, key_text
from app.accounts.audit.rollbacks import (
    RELEASED,
    ROLLED_BACK,
    is_incomplete,
    read_action,
    replaced_build,
    subjects_before,
)
from app.data.cursors import number_position
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.game import Game
from app.data.models.partner import Partner
from app.data.text_search import contains

PAGE_SIZE = 50
# Entries that one page of a search looks at. The log only grows, so that a search of all of it has no upper limit.
MAX_SEARCHED = 10_000


@dataclass(frozen=True)
class HistoryFilter:
    """`partner`, `game`: of one of them, or (with neither) all, for operators. `action`: a prefix such as "key.";
    RELEASED includes rollbacks, and ROLLED_BACK is only these. `text`: in actor, address, or the words for the action
    and its subject. `actor`: exactly. `since`, `until`: from the first moment to before the last. `after`: the cursor
    of the previous page."""

    partner: Partner | None = None
    game: Game | None = None
    action: str = ""
    text: str = ""
    actor: str = ""
    since: datetime | None = None
    until: datetime | None = None
    oldest_first: bool = False
    after: str = ""


@dataclass(frozen=True)
class HistoryEntry:
    """One entry. `action`: as recorded, but ROLLED_BACK for a release of an older build than the live one. `replaced`:
    the number of the build that was live before a release, or None. `actor_text`, `subject_text`: for people, where a
    key has its name."""

    id: int
    at: datetime
    actor: str
    address: str
    action: str
    subject: str
    details: Mapping[str, Any]
    partner_id: str | None
    game_id: str | None
    actor_text: KeyText
    subject_text: KeyText
    replaced: int | None = None

    @classmethod
    def of(cls, row: AuditEntry, before: str | None, names: KeyNames) -> Self:
        """`before`: what `subjects_before()` found. `names`: what `key_names()` found."""
        replaced = replaced_build(row.details, before) if row.action == RELEASED else None
        about_key = row.action.startswith("key.")
        return cls(
            id=row.id,
            at=row.at,
            actor=row.actor,
            address=row.address or "",
            action=read_action(row.action, row.subject, replaced),
            subject=row.subject,
            details=row.details or {},
            partner_id=row.partner_id,
            game_id=row.game_id,
            actor_text=key_text(row.partner_id, row.actor, names),
            subject_text=key_text(row.partner_id, row.subject, names) if about_key else KeyText(row.subject),
            replaced=replaced,
        )


@dataclass(frozen=True)
class HistoryPage:
    """`next_cursor`: where the next page begins, or None at the end. `searched`: how many entries were looked at, if a
    search ended before the end of the log, else 0."""

    entries: Sequence[HistoryEntry]
    next_cursor: str | None
    searched: int = 0


def history(wanted: HistoryFilter, words: Callable[[str], str] = str) -> HistoryPage:
    """One page, newest first by default. `words`: what pages call an action. One query, or two for a text, an actor or
    rollbacks: the database has no index of these, so that a page looks at MAX_SEARCHED entries. One more for names of
    keys, and for releases that were recorded without the build before them (rollbacks.py). Raises InvalidRequest for an
    unknown cursor."""
    query = _narrowed(wanted)
    if wanted.text or wanted.actor or wanted.action == ROLLED_BACK:
        return _searched(query, wanted, words)
    found = _entries(query.limit(PAGE_SIZE + 1))
    entries = found[:PAGE_SIZE]
    return HistoryPage(entries, str(entries[-1].id) if len(found) > PAGE_SIZE else None)


def _entries(query: Select[AuditEntry], known: KeyNames | None = None) -> list[HistoryEntry]:
    """`known`: the names of the keys in these entries, if they were looked up before."""
    rows = db.session.scalars(query).all()
    before = subjects_before([row.id for row in rows if is_incomplete(row.action, row.details)])
    names = _key_names(rows) if known is None else known
    return [HistoryEntry.of(row, before.get(row.id), names) for row in rows]


def _key_names(rows: Iterable[AuditEntry | Row[Any]]) -> KeyNames:
    return key_names((row.partner_id, text) for row in rows for text in (row.actor, row.subject))


def _narrowed(wanted: HistoryFilter) -> Select[AuditEntry]:
    query = select(AuditEntry).order_by(AuditEntry.id if wanted.oldest_first else AuditEntry.id.desc())
    if wanted.partner is not None:
        query = query.where(AuditEntry.partner_id == wanted.partner.id)
    if wanted.game is not None:
        query = query.where(AuditEntry.game_id == wanted.game.id)
    if wanted.action:
        recorded = RELEASED if wanted.action == ROLLED_BACK else wanted.action
        query = query.where(AuditEntry.action.startswith(recorded, autoescape=True))
    if wanted.since:
        query = query.where(AuditEntry.at >= wanted.since)
    if wanted.until:
        query = query.where(AuditEntry.at < wanted.until)
    if wanted.after:
        position = number_position(wanted.after)
        query = query.where(AuditEntry.id > position if wanted.oldest_first else AuditEntry.id < position)
    return query


def _searched(query: Select[AuditEntry], wanted: HistoryFilter, words: Callable[[str], str]) -> HistoryPage:
    columns = (
        AuditEntry.id,
        AuditEntry.actor,
        AuditEntry.address,
        AuditEntry.action,
        AuditEntry.subject,
        AuditEntry.partner_id,
        case((AuditEntry.action == RELEASED, AuditEntry.details), else_=None).label("release_details"),
    )
    rows = db.session.execute(query.with_only_columns(*columns).limit(MAX_SEARCHED)).all()
    before = subjects_before([row.id for row in rows if is_incomplete(row.action, row.release_details)])
    names = _key_names(rows)
    matching = [row.id for row in rows if _matches(row, before.get(row.id), wanted, words, names)]
    shown = matching[:PAGE_SIZE]
    by_id = {entry.id: entry for entry in _entries(select(AuditEntry).where(AuditEntry.id.in_(shown)), names)}
    entries = [by_id[entry_id] for entry_id in shown]
    if len(matching) > PAGE_SIZE:
        return HistoryPage(entries, str(shown[-1]))
    if len(rows) == MAX_SEARCHED:
        return HistoryPage(entries, str(rows[-1].id), MAX_SEARCHED)
    return HistoryPage(entries, None)


def _matches(
    row: Row[Any], before: str | None, wanted: HistoryFilter, words: Callable[[str], str], names: KeyNames
) -> bool:
    if wanted.actor and row.actor != wanted.actor:
        return False
    action = read_action(row.action, row.subject, replaced_build(row.release_details, before))
    if wanted.action == ROLLED_BACK and action != ROLLED_BACK:
        return False
    if not wanted.text:
        return True
    who, what = (key_text(row.partner_id, text, names).text for text in (row.actor, row.subject))
    found = (row.actor, who, row.address or "", f"{words(action)} {row.subject}", f"{words(action)} {what}")
    return contains(wanted.text, found)
