"""A game's builds as lines of a table: numbered ones, and the archives that were refused, which have no number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.catalog.build_list import BuildTable, build_table
from app.data.models.audit_record import AuditEntry
from app.data.models.game import Build, Game
from app.web.builds import build_words
from app.web.frame.formats import Moment, Phrase, format_size

BUILDS_ON_GAME_PAGE = 10  # on the game's page
BUILDS_PER_PAGE = 50


@dataclass(frozen=True)
class BuildLine:
    """`number` is None for a refused archive; `what_to_do` is the remedy of its refusal. `id` is the row's; `cached` is
    `5 of 6` servers; `action` is what makes the build live: Release, Roll back, or "" for the live one."""

    id: str
    number: int | None
    live: bool
    icon: str
    state: Phrase
    size: str
    sent_by: str
    received: Moment
    what_to_do: str = ""
    note: str = ""
    cached: str = ""
    action: str = ""


@dataclass(frozen=True)
class BuildLines:
    """Newest first. `older` is where the next page begins, or None at the end."""

    lines: Sequence[BuildLine] = field(default_factory=list)
    total: int = 0
    older: int | None = None


def list_build_lines(game: Game, most: int, before: int | None = None) -> BuildLines:
    """In six queries, whatever there is."""
    table = build_table(game, most, before)
    lines = [_build(build, table.live, _cached_on(build, table)) for build in table.builds]
    lines += [_refused(entry) for entry in table.refused]
    lines.sort(key=lambda line: line.received.at, reverse=True)
    return BuildLines(lines, table.total, table.older)


def _cached_on(build: Build, table: BuildTable) -> str:
    return f"{table.cached.get(build.id, 0)} of {table.servers}" if table.servers else ""


def count_note(page: BuildLines) -> str:
    """`14, newest first`."""
    if not page.total:
        return ""
    return (
        f"{len([x for x in page.lines if x.number])} of {page.total:,}, newest first"
        if page.older
        else (f"{page.total:,}, newest first")
    )


def release_action(number: int, live: int | None) -> str:
    """What it is called to make this build live, when that one is now."""
    if number == live:
        return ""
    return "Roll back" if live is not None and number < live else "Release"


def _build(build: Build, live: int | None, cached: str) -> BuildLine:
    icon, state = build_words.build_state(build, build.number == live)
    return BuildLine(
        id=f"b{build.number}",
        number=build.number,
        live=build.number == live,
        icon=icon,
        state=state,
        size=format_size(build.size),
        sent_by=build.sent_by,
        received=Moment(build.created_at, "moment"),
        note=build.note or "",
        cached=cached,
        action=release_action(build.number, live),
    )


def _refused(entry: AuditEntry) -> BuildLine:
    known = entry.details or {}
    state, what_to_do = build_words.refusal_words(str(known.get("code") or ""), str(known.get("reason") or ""))
    sent = int(known.get("bytes") or 0)
    return BuildLine(
        f"refused-{entry.id}",
        None,
        False,
        "failed",
        state,
        format_size(sent) if sent else "",
        entry.actor,
        Moment(entry.at, "moment"),
        what_to_do,
    )
