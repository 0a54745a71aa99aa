"""The live list of a partner's games."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from flask import Blueprint, Flask, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.catalog.game_lookup import GameFilter, live_builds
from app.catalog.game_pages import game_counts, games_page, has_games, require_page, tags_in_use
from app.config.settings import settings
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Build, Game
from app.data.models.partner import Partner
from app.data.models.server import Server
from app.fleet.active_servers import active_servers
from app.fleet.overviews.partner_problems import partner_problems
from app.fleet.rollout_states import Summary
from app.fleet.rollout_summaries import summaries
from app.images.game_pictures import covers_of
from app.images.shown_images import ShownImage
from app.topics.names import partner_topic
from app.uploads.resumable.current_uploads import current_uploads_of_partner
from app.web.builds import build_words
from app.web.builds.build_words import StatusLabel
from app.web.frame.current_user import me, my_partner, require_sign_in
from app.web.frame.formats import Moment, counted, format_limit, format_size
from app.web.frame.image_tags import Picture, game_thumbnail
from app.web.frame.shown_commands import EXAMPLE_SLUG, base_url, register_lines, upload_lines
from app.web.games.upload_lines import WITHOUT_GAME_TITLE, UploadLine, next_stop, upload_line
from app.web.lists.list_address import ActiveFilter, ListAddress, quoted, requested_list
from app.web.live.live_parts import RenderedParts, render_part
from app.web.live.streams import add_live_views, current_parts
from app.web.servers import server_words
from app.web.servers.problem_banners import banners_part

pages = Blueprint("games", __name__)
pages.before_request(require_sign_in)

# Filters by status: key in the address -> label.
STATUS_FILTERS = {"": "All", "live": "Live", "waiting": "Waiting for a build", "attention": "Needs attention"}
# As in app/catalog/game_pages.py.
GAME_SORTS = {
    "-updated": "Updated last",
    "updated": "Updated first",
    "title": "Title, A to Z",
    "-title": "Title, Z to A",
    "-size": "Largest live build first",
    "size": "Smallest live build first",
}
PATH = "/games"
GAMES_PER_PAGE = 50
MAX_MARKS = 16  # servers with a mark of their own in each row; beyond it, the row has only its words


@dataclass(frozen=True)
class GameLine:
    """One row of the list."""

    slug: str
    title: str
    status: StatusLabel
    build: str
    berths: Sequence[str]
    summary: StatusLabel
    size: str
    tags: Sequence[str]
    updated: Moment
    cover: Picture | None
    uploads: Sequence[UploadLine]


@dataclass(frozen=True)
class GameListSubject:
    """The page of a partner's games at an address."""

    gone: ClassVar[str] = "This partner no longer exists."

    partner_id: str
    address: ListAddress

    @property
    def filter(self) -> GameFilter:
        value = self.address.value
        return GameFilter(
            text=value("q") or None, tag=value("tag") or None, after=value("after") or None, sort=value("sort")
        )

    @property
    def filters(self) -> list[ActiveFilter]:
        """The filters in use, in words."""
        text, tag, status = (self.address.value(name) for name in ("q", "tag", "status"))
        return self.address.active_filters(
            q=quoted(text), tag=f"Tag: {tag}" if tag else "", status=STATUS_FILTERS[status] if status else ""
        )

    @property
    def topic(self) -> str:
        return partner_topic(self.partner_id)

    def render(self, app: Flask, version: int) -> RenderedParts | None:
        partner = db.session.get(Partner, self.partner_id)
        if partner is None:
            return None
        status = self.address.value("status")
        page = games_page(partner, self.filter, status, GAMES_PER_PAGE)
        counts = game_counts(partner, self.filter)
        servers = active_servers()
        uploads = [(upload.game_id, upload_line(upload)) for upload in current_uploads_of_partner(partner)]
        lines = _lines(page.games, servers, uploads)
        rows = tuple(
            render_part(app, f"game-{line.slug}", "games/_game_row.html", row=True, line=line) for line in lines
        )
        numbers = {key: counts.of_status(key) for key in STATUS_FILTERS}
        segments = self.address.links("status", STATUS_FILTERS, numbers)
        return RenderedParts(
            title=build_words.tab_title("Games", counts.worst),
            parts=(
                render_part(app, "games-segments", "games/_game_segments.html", segments=segments),
                banners_part(app, partner_problems(partner.id, servers)),
                render_part(app, "games-count", "games/_game_count.html", count=_count(lines, numbers[status])),
                render_part(
                    app,
                    "other-uploads",
                    "builds/_other_uploads.html",
                    uploads=[line for game_id, line in uploads if game_id is None],
                    title=WITHOUT_GAME_TITLE,
                ),
                render_part(
                    app,
                    "games-table",
                    "games/_game_table.html",
                    rows=rows,
                    servers=[s.id for s in servers] if len(servers) <= MAX_MARKS else [],
                    heads=self.address.heads(GAME_SORTS),
                    filters=self.filters,
                    links=self.address.page_links(page.next_cursor),
                ),
            ),
            rows=rows,
            version=version,
            changes_at=next_stop(
                (line for _, line in uploads),
                server_words.next_change_at((server.last_report_at for server in servers), now()),
            ),
        )


@pages.get("/")
def home() -> ResponseReturnValue:
    """Redirect to the games."""
    return redirect(url_for("games.index"))


@pages.get("/games")
def index() -> ResponseReturnValue:
    """The list. Filters are in the address. Operators have no games and are redirected to the servers."""
    if me().is_operator:
        return redirect(url_for("operator_servers.index"))
    partner, subject = my_partner(), _requested_list()
    if not subject.filters and not has_games(partner):
        return _first_use()
    return render_template(
        "games/game_list.html",
        partner=partner,
        address=subject.address,
        filters=subject.filters,
        sorts=GAME_SORTS,
        tag_choices=[(tag, tag) for tag in tags_in_use(partner)],
        live=current_parts(subject),
        made_at=Moment(now()),
        max_bytes=settings().max_archive_bytes,
        packed=format_limit(settings().max_archive_bytes),
    )


def _requested_list() -> GameListSubject:
    address = requested_list(PATH, "tag", "after", orders=GAME_SORTS, status=STATUS_FILTERS)
    require_page(address.value("sort"), address.value("after"))  # a stream has answered 200 before it reads a page
    return GameListSubject(my_partner().id, address)


# Not below /games, where it would be a slug.
add_live_views(pages, "/catalog", _requested_list)


def _first_use() -> ResponseReturnValue:
    partner = my_partner()
    return render_template(
        "games/first_use.html",
        partner=partner,
        uploads=[upload_line(upload) for upload in current_uploads_of_partner(partner)],
        max_bytes=settings().max_archive_bytes,
        packed=format_limit(settings().max_archive_bytes),
        unpacked=format_limit(settings().max_unpacked_bytes),
        title=WITHOUT_GAME_TITLE,
        register=register_lines(base_url(), partner.name),
        upload=upload_lines(base_url(), EXAMPLE_SLUG),
    )


def _lines(
    games: Sequence[Game], servers: Sequence[Server], uploads: Sequence[tuple[str | None, UploadLine]]
) -> list[GameLine]:
    found = summaries(games, servers, MAX_MARKS)
    builds = live_builds(games)
    covers = covers_of([game.id for game in games])
    return [
        _line(
            game,
            builds.get(game.released_build_id or ""),
            found[game.id],
            len(servers),
            covers.get(game.id),
            [line for game_id, line in uploads if game_id == game.id],
        )
        for game in games
    ]


def _line(
    game: Game,
    build: Build | None,
    summary: Summary,
    servers: int,
    cover: ShownImage | None,
    uploads: Sequence[UploadLine],
) -> GameLine:
    return GameLine(
        slug=game.slug,
        title=game.title,
        status=build_words.status_words(game),
        build=f"Build {build.number}" if build else "",
        berths=build_words.server_marks(summary, servers) if servers <= MAX_MARKS else (),
        summary=build_words.summary_words(summary.counts, released=build is not None),
        size=format_size(build.size) if build else "",
        tags=game.tags,
        updated=Moment(game.updated_at, "brief"),
        cover=game_thumbnail(cover),
        uploads=uploads,
    )


def _count(lines: Sequence[GameLine], total: int) -> str:
    return counted(total, "game") if total == len(lines) else f"{len(lines)} of {counted(total, 'game')}"
