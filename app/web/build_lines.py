"""A game's builds as lines of a table: numbered ones, and the archives that were refused, which have no number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import func, select

from app.extensions import db
from app.models import AuditEntry, Build, Game
from app.partners.history import refused_builds
from app.web import words
from app.web.formats import Moment, Text, size

SHOWN = 10  # on the game's page
PAGE = 50


@dataclass(frozen=True)
class BuildLine:
    """`number` is None for a refused archive; `what_to_do` is the remedy of its refusal. `id` is the row's."""

    id: str
    number: int | None
    live: bool
    icon: str
    state: Text
    size: str
    sent_by: str
    received: Moment
    file_name: str = ""
    what_to_do: str = ""


@dataclass(frozen=True)
class BuildPage:
    """Newest first. `older` is where the next page begins, or None at the end."""

    lines: Sequence[BuildLine] = field(default_factory=list)
    total: int = 0
    older: int | None = None


def build_page(game: Game, most: int, before: int | None = None) -> BuildPage:
    """In three queries, whatever there is. Refusals stand between the builds by time: those before the newest build
    that is not shown are left out."""
    query = select(Build).where(Build.game_id == game.id).order_by(Build.number.desc()).limit(most + 1)
    if before is not None:
        query = query.where(Build.number < before)
    found = db.session.scalars(query).all()
    builds = found[:most]
    total = db.session.scalar(select(func.count()).select_from(Build).where(Build.game_id == game.id)) or 0
    refused = refused_builds(game) if before is None else []
    oldest = builds[-1].created_at if len(found) > most else None
    lines = [_build(build, build.id == game.released_build_id) for build in builds]
    lines += [_refused(entry) for entry in refused if oldest is None or entry.at > oldest]
    lines.sort(key=lambda line: line.received.at, reverse=True)
    return BuildPage(lines, total, builds[-1].number if len(found) > most else None)


def note(page: BuildPage) -> str:
    """`14, newest first`."""
    if not page.total:
        return ""
    return (
        f"{len([x for x in page.lines if x.number])} of {page.total:,}, newest first"
        if page.older
        else (f"{page.total:,}, newest first")
    )


def _build(build: Build, live: bool) -> BuildLine:
    icon, state = words.build_state(build, live)
    received = Moment(build.created_at, "moment")
    return BuildLine(
        f"b{build.number}",
        build.number,
        live,
        icon,
        state,
        size(build.size),
        build.sent_by,
        received,
        build.file_name or "",
    )


def _refused(entry: AuditEntry) -> BuildLine:
    known = entry.details or {}
    state, what_to_do = words.refused(str(known.get("code") or ""), str(known.get("reason") or ""))
    sent = int(known.get("bytes") or 0)
    return BuildLine(
        f"refused-{entry.id}",
        None,
        False,
        "failed",
        state,
        size(sent) if sent else "",
        entry.actor,
        Moment(entry.at, "moment"),
        str(known.get("file_name") or ""),
        what_to_do,
    )
