"""Rows of the builds table: builds, and rejected archives, which have no number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.catalog.build_list import BuildTable, build_table
from app.data.models.audit_record import AuditEntry
from app.data.models.game import Build, Game
from app.web.builds import build_words
from app.web.frame.formats import Moment, Phrase, counted, format_size

BUILDS_ON_GAME_PAGE = 10  # on the game's page
BUILDS_PER_PAGE = 50


@dataclass(frozen=True)
class BuildLine:
    """One row, with its HTML id. `number`: None for a rejected archive. `what_to_do`: how to correct a rejected
    archive. `warnings`: how many its check found, in words. `cached`: `5 of 6` servers. `action`: Release, Roll back,
    or "" for the live build."""

    id: str
    number: int | None
    live: bool
    icon: str
    state: Phrase
    size: str
    sent_by: str
    received: Moment
    what_to_do: str = ""
    warnings: str = ""
    note: str = ""
    cached: str = ""
    action: str = ""


@dataclass(frozen=True)
class BuildLines:
    """One page of rows, newest first. `older`: where the next page begins, or None."""

    lines: Sequence[BuildLine] = field(default_factory=list)
    total: int = 0
    older: int | None = None


def list_build_lines(game: Game, max_lines: int, before: int | None = None) -> BuildLines:
    """One page of a game's builds and rejected archives. A constant number of queries."""
    table = build_table(game, max_lines, before)
    lines = [_build(build, table.live, _cached_on(build, table)) for build in table.builds]
    lines += [_rejected(entry) for entry in table.refused]
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
    """The name of the action that makes build `number` live while build `live` is: Release, Roll back, or ""."""
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
        warnings=counted(len(build.warnings), "warning") if build.warnings else "",
        note=build.note or "",
        cached=cached,
        action=release_action(build.number, live),
    )


def _rejected(entry: AuditEntry) -> BuildLine:
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
