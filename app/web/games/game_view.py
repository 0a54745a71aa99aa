"""The content of a game's page as plain values: rendering needs no database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.catalog.build_filters import BuildFilter
from app.catalog.build_list import live_before
from app.catalog.game_lookup import game_with_live_build
from app.catalog.release_history import newest_release
from app.data.models.game import Build, Game
from app.fleet.rollout import matrix
from app.fleet.rollout_states import Matrix, MatrixRow
from app.uploads.resumable.current_uploads import current_uploads
from app.web.builds import build_words
from app.web.builds.build_rows import (
    BUILDS_ON_GAME_PAGE,
    BuildLine,
    RefusalLine,
    count_note,
    list_build_lines,
    release_action,
    way_back_label,
)
from app.web.builds.build_words import CellWords, Count, StatusLabel
from app.web.builds.transfer_words import sent_words
from app.web.frame.formats import Phrase, counted, format_size, some_names
from app.web.games.upload_lines import UploadLine, next_stop, upload_line
from app.web.lists.list_address import ListAddress
from app.web.lists.numbered_pages import NumberedPage
from app.web.servers.server_pages import server_page


@dataclass(frozen=True)
class ServerView:
    id: str
    region: str
    reported: Phrase


@dataclass(frozen=True)
class RowView:
    """One build on all servers; `cells` in the order of the servers."""

    number: int
    live: bool
    note: str
    cells: Sequence[CellWords]


@dataclass(frozen=True)
class HeadAction:
    """A button in the head of the page: it asks whether to make build `number` live."""

    number: int
    label: str
    primary: bool = False
    rolls_back: bool = False


@dataclass(frozen=True)
class GameView:
    """All live content of a game's page. `changes_at`: when the next server counts as lost or the next
    upload as stopped, or None."""

    slug: str
    tab_title: str
    chips: Sequence[StatusLabel]
    released: Phrase
    actions: Sequence[HeadAction]
    builds: Sequence[BuildLine]
    refused: Sequence[RefusalLine]
    builds_note: str
    all_builds: bool  # whether the page links to a list with more builds
    counts: Sequence[Count]
    sessions: str
    to_send: str
    sent: str  # what servers fetched of all builds, or ""
    servers: Sequence[ServerView]  # those of the page
    page: NumberedPage
    waiting_servers: str  # without a build: the servers that will fetch the first one
    rows: Sequence[RowView]
    may_write: bool
    uploads: Sequence[UploadLine]
    changes_at: datetime | None


def game_view(game_id: str, may_write: bool, page: int) -> GameView | None:
    """The view of a game, or None if it is deleted. `page`: of its servers, from 1. A constant number of queries."""
    game = game_with_live_build(game_id)
    if game is None:
        return None
    found, uploads = matrix(game, page), [upload_line(upload) for upload in current_uploads(game.id)]
    builds = list_build_lines(game, BuildFilter(limit=BUILDS_ON_GAME_PAGE))
    live, address = game.released_build, ListAddress(f"/games/{game.slug}").numbered_page(page)
    return GameView(
        slug=game.slug,
        tab_title=build_words.tab_title(game.title, found.counts),
        chips=[build_words.live_chip(game, live), *build_words.rollout_chips(game, found)],
        released=_released(game),
        actions=_actions(builds.lines, live, live_before(game)),
        builds=builds.lines,
        refused=builds.refused,
        builds_note=count_note(builds),
        all_builds=builds.next_cursor is not None,
        counts=build_words.count_labels(found.counts),
        sessions=counted(found.sessions, "session") if found.sessions else "",
        to_send=f"Still to send: {format_size(found.bytes_to_send)}" if live else "",
        sent=f"Sent to servers: {sent_words(game.sent_bytes, game.saved_bytes)}" if game.sent_bytes else "",
        servers=[ServerView(s.id, s.region, build_words.reported_words(s)) for s in found.servers],
        page=server_page(found.total, "in the order of their names", address, "fleet"),
        waiting_servers=_waiting_servers(found),
        rows=[_row(row, found.total) for row in found.rows],
        may_write=may_write,
        uploads=uploads,
        changes_at=next_stop(uploads, found.lost_at),
    )


def _row(row: MatrixRow, servers: int) -> RowView:
    cells = [build_words.cell_words(cell) for cell in row.cells]
    return RowView(row.build.number, row.live, build_words.row_note(row, servers), cells)


def _waiting_servers(found: Matrix) -> str:
    """`3 servers wait for the first build: srv-01, srv-02, srv-03.`"""
    if not found.total:
        return ""
    names = some_names([server.id for server in found.servers], found.total)
    return f"{counted(found.total, 'server')} {'waits' if found.total == 1 else 'wait'} for the first build: {names}."


def _actions(lines: Sequence[BuildLine], live: Build | None, before: Build | None) -> list[HeadAction]:
    """The way back to the build that was live `before`, and the newest of the `lines` if nobody has released it yet. A
    build that was rolled back is offered again only until there is a newer one, and never as the primary button."""
    newest = lines[0] if lines and lines[0].action == "Release" and not lines[0].was_live else None
    actions = []
    if live and before:
        rolls_back = release_action(before.number, live.number) == "Roll back"
        if rolls_back or newest is None:
            label = way_back_label(before.number, live.number)
            actions.append(HeadAction(before.number, label, rolls_back=rolls_back))
    if newest:
        actions.append(HeadAction(newest.number, f"Release build {newest.number}", primary=True))
    return actions


def _released(game: Game) -> Phrase:
    release = newest_release(game)
    return build_words.released_line(release.released_at, release.released_by) if release else ()
