"""The list of a partner's games."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app.catalog.games import GameFilter, list_games
from app.config import settings
from app.extensions import db
from app.fleet.matrix import Summary, summaries
from app.models import Build, Game, Server
from app.web import words
from app.web.formats import Moment, counted, limit, size
from app.web.people import me, my_partner, require_sign_in
from app.web.terminal import EXAMPLE_SLUG, base_url, register_lines, upload_lines
from app.web.words import Said

pages = Blueprint("games", __name__)
pages.before_request(require_sign_in)

# Segments of the list: key in the address -> label.
SEGMENTS = {"": "All", "live": "Live", "waiting": "Waiting for a build", "attention": "Needs attention"}
_ATTENTION = {"failed", "retrying"}


@dataclass(frozen=True)
class GameLine:
    """One row of the list."""

    slug: str
    title: str
    status: Said
    build: str
    berths: Sequence[str]
    summary: Said
    size: str
    tags: Sequence[str]
    updated: Moment
    segments: frozenset[str]


@dataclass(frozen=True)
class Segment:
    key: str
    label: str
    count: int
    url: str


@pages.get("/")
def home() -> ResponseReturnValue:
    """The dashboard starts at the games."""
    return redirect(url_for("games.index"))


@pages.get("/games")
def index() -> ResponseReturnValue:
    """All games with what is live where; filters are in the address. Operators are told where they are."""
    if me().is_operator:
        return render_template("operator.html")
    partner = my_partner()
    text, tag, chosen = (request.args.get(name, "").strip() for name in ("q", "tag", "status"))
    games = list_games(partner, GameFilter(text=text or None, tag=tag or None)).games
    if not games and not (text or tag):
        return _first_use()
    servers = db.session.scalars(select(Server.id).where(Server.retired_at.is_(None)).order_by(Server.id)).all()
    lines = _lines(games, len(servers))
    shown = [line for line in lines if not chosen or chosen in line.segments]
    return render_template(
        "games/index.html",
        partner=partner,
        lines=sorted(shown, key=lambda line: line.updated.at, reverse=True),
        segments=_segments(lines, text, tag),
        chosen=chosen,
        text=text,
        tag=tag,
        tags=_tags(partner.id),
        servers=servers,
        showing=f"Showing {counted(len(shown), 'game')}",
    )


def _first_use() -> ResponseReturnValue:
    partner = my_partner()
    return render_template(
        "games/first_use.html",
        partner=partner,
        most=settings().max_archive_bytes,
        packed=limit(settings().max_archive_bytes),
        unpacked=limit(settings().max_unpacked_bytes),
        register=register_lines(base_url(), partner.name),
        upload=upload_lines(base_url(), EXAMPLE_SLUG),
    )


def _lines(games: Sequence[Game], servers: int) -> list[GameLine]:
    found = summaries(games)
    released = [game.released_build_id for game in games if game.released_build_id]
    builds: dict[str, Build] = {}
    for start in range(0, len(released), 5000):
        batch = db.session.scalars(select(Build).where(Build.id.in_(released[start : start + 5000])))
        builds |= {build.id: build for build in batch}
    return [_line(game, builds.get(game.released_build_id or ""), found[game.id], servers) for game in games]


def _line(game: Game, build: Build | None, summary: Summary, servers: int) -> GameLine:
    segments = {"live" if build else "waiting"}
    if _ATTENTION & summary.counts.keys():
        segments.add("attention")
    return GameLine(
        slug=game.slug,
        title=game.title,
        status=words.status_words(game),
        build=f"Build {build.number}" if build else "",
        berths=words.berths(summary, servers),
        summary=words.summary_words(summary.counts, released=build is not None),
        size=size(build.size) if build else "",
        tags=game.tags,
        updated=Moment(game.updated_at, "brief"),
        segments=frozenset(segments),
    )


def _segments(lines: Sequence[GameLine], text: str, tag: str) -> list[Segment]:
    segments = []
    for key, label in SEGMENTS.items():
        count = sum(not key or key in line.segments for line in lines)
        # Empty values are left out of the address.
        url = url_for("games.index", status=key or None, q=text or None, tag=tag or None)
        segments.append(Segment(key, label, count, url))
    return segments


def _tags(partner_id: str) -> list[str]:
    rows = db.session.scalars(select(Game.tags).where(Game.partner_id == partner_id, Game.deleted_at.is_(None)))
    return sorted({tag for tags in rows for tag in tags}, key=str.casefold)
