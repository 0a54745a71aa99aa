"""Which of the things that entries of the audit log name still exist."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, SQLColumnExpression, select, tuple_

from app.accounts.audit.audit_history import HistoryEntry
from app.accounts.audit.key_names import hint_in
from app.accounts.audit.rollbacks import build_number
from app.accounts.keys import is_active
from app.data.extensions import db
from app.data.models.asset import Asset
from app.data.models.base import now
from app.data.models.component import Component, Revision
from app.data.models.game import Build, Game
from app.data.models.partner import ApiKey, App, Invitation, Member
from app.data.models.server import Server


@dataclass(frozen=True)
class ExistingSubjects:
    """What exists, by id. `games`: id → slug. `builds`: (game id, number). `components`: those of drafts. `keys`: those
    that work, (partner id, hint) → id. `members`, `invitations`: id → e-mail address."""

    games: Mapping[str, str]
    builds: Collection[tuple[str, int]]
    images: Collection[str]
    components: Collection[str]
    keys: Mapping[tuple[str, str], str]
    apps: Collection[str]
    members: Mapping[str, str]
    invitations: Mapping[str, str]


def existing_subjects(entries: Sequence[HistoryEntry]) -> ExistingSubjects:
    """At most one query for each kind of thing, however many entries there are."""
    games = select(Game.id, Game.slug).where(Game.deleted_at.is_(None))
    builds = select(Build.game_id, Build.number)
    build_names = {(one.game_id, build_number(one.subject)) for one in entries if one.action.startswith("build.")}
    images = select(Asset.id).where(Asset.deleted_at.is_(None))
    drafts = select(Revision.id).where(Revision.state == "draft")
    components = select(Component.id).where(Component.revision_id.in_(drafts))
    keys = select(App.partner_id, ApiKey.hint, ApiKey.id).join(ApiKey.app).where(is_active())
    invitations = select(Invitation.id, Invitation.email).where(Invitation.expires_at > now())
    return ExistingSubjects(
        games=dict(_rows(games, Game.id, {entry.game_id for entry in entries})),
        builds=set(_rows(builds, tuple_(Build.game_id, Build.number), build_names)),
        images=_first(_rows(images, Asset.id, _named(entries, "asset"))),
        components=_first(_rows(components, Component.id, _named(entries, "component"))),
        keys={(row[0], row[1]): row[2] for row in _rows(keys, ApiKey.hint, {key_hint(entry) for entry in entries})},
        apps=_first(_rows(select(App.id), App.id, _named(entries, "app"))),
        members=existing_members(entries),
        invitations=dict(_rows(invitations, Invitation.id, _named(entries, "invitation"))),
    )


def existing_members(entries: Sequence[HistoryEntry]) -> dict[str, str]:
    """Id → e-mail address, in at most one query."""
    return dict(_rows(select(Member.id, Member.email), Member.id, _named(entries, "member")))


def existing_servers(entries: Sequence[HistoryEntry]) -> set[str]:
    """Ids of active servers, in at most one query."""
    named = {entry.subject for entry in entries if entry.action.startswith("server.")}
    return _first(_rows(select(Server.id).where(Server.retired_at.is_(None)), Server.id, named))


def key_hint(entry: HistoryEntry) -> str:
    """The hint of the key that an entry names, or ""."""
    return hint_in(entry.subject) if entry.action.startswith("key.") else ""


def _named(entries: Sequence[HistoryEntry], detail: str) -> set[str]:
    """The ids under one name in the details of the entries."""
    return {str(entry.details[detail]) for entry in entries if entry.details.get(detail)}


def _rows(
    query: Select[*tuple[Any, ...]], column: SQLColumnExpression[Any], wanted: Iterable[Any]
) -> Iterator[tuple[Any, ...]]:
    """The rows of a query whose column has one of the wanted values, or whose pair of columns has one without None."""
    values = [value for value in wanted if value and not (isinstance(value, tuple) and None in value)]
    if values:
        for row in db.session.execute(query.where(column.in_(values))):
            yield tuple(row)


def _first(rows: Iterable[tuple[Any, ...]]) -> set[str]:
    return {row[0] for row in rows}
