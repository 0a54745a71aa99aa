"""Reading the audit log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select

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
    """`partner`, `game`: of one of them, or (with neither) all, for operators. `action`: a prefix such as "key.".
    `text`: in actor, address, or the words for the action and its subject. `actor`: exactly. `since`, `until`: from the
    first moment to before the last. `after`: the cursor of the previous page."""

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
class HistoryPage:
    """`next_cursor`: where the next page begins, or None at the end. `searched`: how many entries were looked at, if a
    search ended before the end of the log, else 0."""

    entries: Sequence[AuditEntry]
    next_cursor: str | None
    searched: int = 0


def history(wanted: HistoryFilter, words: Callable[[str], str] = str) -> HistoryPage:
    """One page, newest first by default. `words`: what pages call an action. One query, or two for a text or an actor:
    the database has no index of these, so that a page looks at MAX_SEARCHED entries. Raises InvalidRequest for an
    unknown cursor."""
    query = _narrowed(wanted)
    if wanted.text or wanted.actor:
        return _searched(query, wanted, words)
    found = db.session.scalars(query.limit(PAGE_SIZE + 1)).all()
    entries = found[:PAGE_SIZE]
    return HistoryPage(entries, str(entries[-1].id) if len(found) > PAGE_SIZE else None)


def _narrowed(wanted: HistoryFilter) -> Select[AuditEntry]:
    query = select(AuditEntry).order_by(AuditEntry.id if wanted.oldest_first else AuditEntry.id.desc())
    if wanted.partner is not None:
        query = query.where(AuditEntry.partner_id == wanted.partner.id)
    if wanted.game is not None:
        query = query.where(AuditEntry.game_id == wanted.game.id)
    if wanted.action:
        query = query.where(AuditEntry.action.startswith(wanted.action, autoescape=True))
    if wanted.since:
        query = query.where(AuditEntry.at >= wanted.since)
    if wanted.until:
        query = query.where(AuditEntry.at < wanted.until)
    if wanted.after:
        position = number_position(wanted.after)
        query = query.where(AuditEntry.id > position if wanted.oldest_first else AuditEntry.id < position)
    return query


def _searched(query: Select[AuditEntry], wanted: HistoryFilter, words: Callable[[str], str]) -> HistoryPage:
    columns = (AuditEntry.id, AuditEntry.actor, AuditEntry.address, AuditEntry.action, AuditEntry.subject)
    rows = db.session.execute(query.with_only_columns(*columns).limit(MAX_SEARCHED)).all()
    matching = [
        row.id
        for row in rows
        if (not wanted.actor or row.actor == wanted.actor)
        and (
            not wanted.text
            or contains(wanted.text, (row.actor, row.address or "", f"{words(row.action)} {row.subject}"))
        )
    ]
    shown = matching[:PAGE_SIZE]
    by_id = {entry.id: entry for entry in db.session.scalars(select(AuditEntry).where(AuditEntry.id.in_(shown)))}
    entries = [by_id[entry_id] for entry_id in shown]
    if len(matching) > PAGE_SIZE:
        return HistoryPage(entries, str(shown[-1]))
    if len(rows) == MAX_SEARCHED:
        return HistoryPage(entries, str(rows[-1].id), MAX_SEARCHED)
    return HistoryPage(entries, None)
