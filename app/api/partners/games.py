"""/api/partners/games: list, register, read, change and delete games, and read their sync state (partner-api.md 5)."""

from __future__ import annotations

from flask import Blueprint, Response, request

from app.accounts.callers import Caller
from app.api.apis import PARTNERS
from app.api.kept_answers import list_answer
from app.api.partners import game_schemas
from app.api.pipeline import Result
from app.catalog import game_reads, games
from app.catalog.game_filters import GameFilter
from app.catalog.game_reads import GameFacts, ListedGame
from app.data.database import free_connection
from app.data.models.game import Game
from app.data.models.partner import PartnerIdentity
from app.fleet.cache_states import CacheState, cache_states
from app.images.game_pictures import replace_pictures_by_links, shown_pictures
from app.refusals import InvalidRequest

bp = Blueprint("partner_games", __name__, url_prefix="/api/partners/games")


@bp.get("")
@PARTNERS.call(
    "List your games", scope="read", query=game_schemas.GameQuery, responses={200: game_schemas.GameList}, errors=(400,)
)
def list_games(caller: Caller, query: game_schemas.GameQuery) -> Response:
    # An unchanged list costs one small query and reads no games.
    version = game_reads.catalog_version(caller.partner)
    return list_answer(caller.partner.id, version, lambda: _list(caller.partner, query))


def _list(partner: PartnerIdentity, query: game_schemas.GameQuery) -> game_schemas.GameList:
    page = game_reads.list_games(partner, _filter(query))
    shape = game_schemas.GameList.model_construct(games=[_row(game) for game in page.games], total=page.total)
    if page.next_cursor:
        shape.next_cursor = page.next_cursor
    return shape


def _filter(query: game_schemas.GameQuery) -> GameFilter:
    return GameFilter(query.status, query.tag, query.q, query.limit, query.cursor, query.sort or "")


@bp.post("")
@PARTNERS.call(
    "Register a game",
    scope="write",
    body=game_schemas.GameRegistration,
    responses={201: game_schemas.GameRegistered},
    errors=(400, 409, 413, 415),
)
def register(caller: Caller, body: game_schemas.GameRegistration) -> Result:
    game = games.register_game(caller.partner, body.slug, body.metadata(), caller.actor)
    return Result(game_schemas.GameRegistered(id=game.id, slug=game.slug, status=game.status), 201)


@bp.get("/<slug>")
@PARTNERS.call("Read a game", scope="read", finds_game=False, responses={200: game_schemas.GameDetail})
def read(caller: Caller, slug: str) -> Result:
    return Result(_detail(game_reads.game_facts(caller.partner, slug)))


@bp.patch("/<slug>")
@PARTNERS.call(
    "Change a game",
    scope="write",
    body=game_schemas.GameChanges,
    responses={200: game_schemas.GameDetail},
    errors=(400, 413, 415),
)
def change(caller: Caller, game: Game, body: game_schemas.GameChanges) -> Result:
    if "slug" in body.model_fields_set and body.slug != game.slug:
        raise InvalidRequest(
            f"slug cannot be changed: it is always '{game.slug}'. Register another game to use '{body.slug}'.",
            {"slug": "cannot be changed"},
        )
    changes = body.changes()
    games.update_game(game, changes, caller.actor)
    replace_pictures_by_links(game, changes, request.url_root, caller.actor)
    free_connection()
    return Result(_detail(game_reads.game_facts(caller.partner, game.slug)))


@bp.delete("/<slug>")
@PARTNERS.call("Delete a game", scope="write", responses={204: None})
def delete(caller: Caller, game: Game) -> Result:
    games.delete_game(game, caller.actor)
    return Result(None, 204)


@bp.get("/<slug>/sync")
@PARTNERS.call(
    "Read which servers have cached the released build",
    scope="read",
    finds_game=False,
    responses={200: game_schemas.Sync},
)
def sync(caller: Caller, slug: str) -> Result:
    states = cache_states(game_reads.live_build_of(caller.partner, slug).build_id)
    cached = sum(state.cached for state in states)
    return Result(
        game_schemas.Sync(
            slug=slug,
            total_servers=len(states),
            cached_on=cached,
            pending_sync=len(states) - cached,
            servers=[_server(state) for state in states],
        )
    )


def _row(game: ListedGame) -> game_schemas.GameRow:
    # The fields come from the database, so validating them again for up to a thousand games is not needed.
    return game_schemas.GameRow.model_construct(
        id=game.id,
        slug=game.slug,
        title=game.title,
        developer=game.developer,
        tags=game.tags,
        status=game.status,
        created_at=game.created_at,
        updated_at=game.updated_at,
    )


def _detail(game: GameFacts) -> game_schemas.GameDetail:
    pictures = shown_pictures(game, request.url_root) if game.has_pictures else None
    detail = game_schemas.GameDetail.model_construct(
        id=game.id,
        slug=game.slug,
        title=game.title,
        developer=game.developer,
        description=game.description,
        tags=game.tags,
        launcher=game.launcher or "",
        renpy_dir=game.renpy_dir or "",
        thumbnail=pictures["thumbnail"] if pictures else game.thumbnail,
        status=game.status,
        cache_status=game_schemas.CacheStatus.model_construct(servers=game.servers, cached=game.cached),
        auto_release=game.auto_release,
        released_build=game.released_number,
        sent_bytes=game.sent_bytes,
        saved_bytes=game.saved_bytes,
    )
    screenshots = pictures["screenshots"] if pictures else game.screenshots
    if screenshots is not None:
        detail.screenshots = screenshots
    for name in ("release_date", "content_rating", "languages", "keep_builds"):
        if (value := getattr(game, name)) is not None:
            setattr(detail, name, value)
    return detail


def _server(state: CacheState) -> game_schemas.SyncServer:
    return game_schemas.SyncServer(
        id=state.server_id,
        status="cached" if state.cached else "pending",
        cached_at=state.cached_at if state.cached else None,
        state=state.state,
        phase=state.phase,
        bytes_done=state.bytes_done,
        bytes_total=state.bytes_total,
        bytes_per_second=state.bytes_per_second,
        reported_at=state.reported_at,
        attempt=state.attempt,
        error=state.reason,
        source=state.source,
        from_build=state.source_build,
        fallback=state.fallback,
    )
