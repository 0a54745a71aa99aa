"""Lines of the list of builds: builds as rows of a table, and rejected archives, which have no number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.catalog.build_filters import BuildFilter
from app.catalog.build_list import BuildTable, build_table
from app.catalog.refused_archives import RefusedArchive
from app.data.models.game import Build, Game
from app.web.builds import build_words
from app.web.builds.packaging_command import split_command
from app.web.builds.transfer_words import cached_words, kept_words
from app.web.frame.formats import Moment, Phrase, counted, format_size
from app.web.lists.list_address import order_words
from slipway.archive.invisible_characters import escape_invisible

BUILDS_ON_GAME_PAGE = 10  # on the game's page
BUILDS_PER_PAGE = 50
# As in app/catalog/build_filters.py.
BUILD_SORTS = {
    "-number": "Newest first",
    "number": "Oldest first",
    "-size": "Largest first",
    "size": "Smallest first",
    "sender": "Sender, A to Z",
    "-sender": "Sender, Z to A",
}


@dataclass(frozen=True)
class BuildLine:
    """One row, with its HTML id. `warnings`: how many its check found, in words. `version`: the studio's own name for
    the build. `update`: what a server with the live build fetches, or `0 B on 5 of 6` if most servers have the build;
    `cached_on`: on how many servers it is already, `5 of 6`. `updates`: what is done for its pack, or why there is
    none. `action`: Release, Roll back, or "" for the live build. `was_live`: whether it was ever released.
    """

    id: str
    number: int
    live: bool
    icon: str
    state: Phrase
    size: str
    sent_by: str
    received: Moment
    warnings: str = ""
    version: str = ""
    note: str = ""
    update: str = ""
    cached_on: str = ""
    updates: str = ""
    action: str = ""
    was_live: bool = False


@dataclass(frozen=True)
class RefusalLine:
    """Archives that were rejected for the same reason. `entry`: the newest audit entry; `state`: what is wrong;
    `what_to_do`: how to correct it, with a `command` or ""; `times`: how often it happened, if more than once; `facts`:
    file, size, sender."""

    entry: int
    state: str
    what_to_do: str
    command: str
    times: str
    facts: str
    received: Moment


@dataclass(frozen=True)
class BuildLines:
    """One page of rows. `refused`: lines above them; `counts`: of builds by status; `total`: of all pages;
    `next_cursor`: where the next page begins, or None."""

    lines: Sequence[BuildLine] = field(default_factory=list)
    refused: Sequence[RefusalLine] = field(default_factory=list)
    counts: Mapping[str, int] = field(default_factory=dict)
    total: int = 0
    next_cursor: str | None = None


def list_build_lines(game: Game, wanted: BuildFilter) -> BuildLines:
    """One page of a game's builds and rejected archives. A constant number of queries. Raises InvalidRequest for an
    unknown cursor."""
    table = build_table(game, wanted)
    lines = [_build(build, table) for build in table.builds]
    refused = [_refusal(each) for each in table.refused]
    return BuildLines(lines, refused, table.counts, table.total, table.next_cursor)


def count_note(page: BuildLines, sort: str = "") -> str:
    """`14, newest first`."""
    if not page.total:
        return ""
    shown = f"{page.total:,}" if len(page.lines) == page.total else f"{len(page.lines)} of {page.total:,}"
    return f"{shown}, {order_words(sort, BUILD_SORTS)}"


def release_action(number: int, live: int | None) -> str:
    """The name of the action that makes build `number` live while build `live` is: Release, Roll back, or ""."""
    if number == live:
        return ""
    return "Roll back" if live is not None and number < live else "Release"


def way_back_label(before: int, live: int) -> str:
    """The label of the action that makes build `before` live again, which was live before build `live`."""
    if release_action(before, live) == "Roll back":
        return f"Roll back to build {before}"
    return f"Release build {before} again"


def _update(build: Build, table: BuildTable) -> str:
    """Empty for the live build, and while the update is being prepared."""
    if table.live is None or build.id == table.live.id:
        return ""
    cached_on = table.cached.get(build.id, 0)
    if 2 * cached_on > table.servers:  # most have it, for example the build that was live before
        return kept_words(cached_on, table.servers)
    if table.costs.waits_for_pack(build, [table.live], is_live=False):
        return ""
    return format_size(table.costs.for_server(build, [table.live]).bytes)


def _build(build: Build, table: BuildTable) -> BuildLine:
    live = table.live.number if table.live else None
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
        version=build_words.version_words(build.version_label),
        note=build.note or "",
        update=_update(build, table),
        cached_on=cached_words(table.cached.get(build.id, 0), table.servers),
        updates=build_words.pack_words(table.packs.get(build.id)),
        action=release_action(build.number, live),
        was_live=build.first_released_at is not None,
    )


def _refusal(refused: RefusedArchive) -> RefusalLine:
    known = refused.newest.details or {}
    state, advice = build_words.refusal_words(refused.code, refused.reason)
    what_to_do, command = split_command(advice)
    sent = int(known.get("bytes") or 0)
    file_name = escape_invisible(str(known.get("file_name") or ""))
    facts = [file_name, format_size(sent) if sent else "", f"sent by {refused.newest.actor}"]
    return RefusalLine(
        entry=refused.newest.id,
        state=state,
        what_to_do=what_to_do,
        command=command,
        times=counted(refused.times, "time") if refused.times > 1 else "",
        facts=", ".join(fact for fact in facts if fact),
        received=Moment(refused.newest.at, "moment"),
    )
