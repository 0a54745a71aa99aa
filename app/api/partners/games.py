"""/api/partners/games: list, register, read, change and delete games, and read their sync state (partner-api.md 5)."""

from __future__ import annotations

import hashlib

from flask import Blueprint, Response, request

from app.accounts.callers import Caller
from app.api.apis import PARTNERS
from app.api.partners import game_schemas
from app.api.pipeline import Result
from app.catalog import games
from app.data.models.game import Game
from app.fleet.rollout import CacheState, cache_state
from app.images.game_pictures import replace_pictures_by_links, shown_pictures
from app.refusals import InvalidRequest
from app.topics.names import catalog_topic
from app.topics.versions import stored_version

bp = Blueprint("partner_games", __name__, url_prefix="/api/partners/games")


@bp.get("")
@PARTNERS.call(
    "List your games", scope="read", query=game_schemas.GameQuery, responses={200: game_schemas.GameList}, errors=(400,)
)
def list_games(caller: Caller, query: game_schemas.GameQuery) -> Result | Response:
    # The ETag comes from the catalog's version, so an unchanged list costs two small queries and reads no games.
    version = stored_version(catalog_topic(caller.partner.id))
    query_hash = hashlib.sha256(query.model_dump_json().encode()).hexdigest()[:16]
    etag = f'"{caller.partner.id}-{version}-{query_hash}"'
    if request.method in {"GET", "HEAD"} and request.if_none_match.contains_weak(etag[1:-1]):
        return Response(status=304, headers={"ETag": etag, "Cache-Control": "private, no-cache"})
    page = games.list_games(
        caller.partner, games.GameFilter(query.status, query.tag, query.q, query.limit, query.cursor)
    )
    shape = game_schemas.GameList(games=[_row(game) for game in page.games], total=page.total)
    if page.next_cursor:
        shape.next_cursor = page.next_cursor
    return Result(shape, headers={"ETag": etag})


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
@PARTNERS.call("Read a game", scope="read", responses={200: game_schemas.GameDetail})
def read(caller: Caller, game: Game) -> Result:
    return Result(_detail(game))


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
    changed = games.update_game(game, changes, caller.actor)
    replace_pictures_by_links(game, changes, request.url_root, caller.actor)
    return Result(_detail(changed))


@bp.delete("/<slug>")
@PARTNERS.call("Delete a game", scope="write", responses={204: None})
def delete(caller: Caller, game: Game) -> Result:
    games.delete_game(game, caller.actor)
    return Result(None, 204)


@bp.get("/<slug>/sync")
@PARTNERS.call("Read which servers have cached the released build", scope="read", responses={200: game_schemas.Sync})
def sync(caller: Caller, game: Game) -> Result:
    states = cache_state(game)
    cached = sum(state.cached for state in states)
    return Result(
        game_schemas.Sync(
            slug=game.slug,
            total_servers=len(states),
            cached_on=cached,
            pending_sync=len(states) - cached,
            servers=[_server(state) for state in states],
        )
    )


def _row(game: Game) -> game_schemas.GameRow:
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


def _detail(game: Game) -> game_schemas.GameDetail:
    states = cache_state(game)
    pictures = shown_pictures(game, request.url_root)
    detail = game_schemas.GameDetail(
        id=game.id,
        slug=game.slug,
        title=game.title,
        developer=game.developer,
        description=game.description,
        tags=game.tags,
        launcher=game.launcher or "",
        renpy_dir=game.renpy_dir or "",
        thumbnail=pictures["thumbnail"],
        status=game.status,
        cache_status=game_schemas.CacheStatus(servers=len(states), cached=sum(state.cached for state in states)),
        auto_release=game.auto_release,
        released_build=states.released_number,
        sent_bytes=game.sent_bytes,
        saved_bytes=game.saved_bytes,
    )
    if pictures["screenshots"] is not None:
        detail.screenshots = pictures["screenshots"]
    for name in ("release_date", "content_rating", "languages", "keep_builds"):
        if (value := getattr(game, name)) is not None:
            setattr(detail, name, value)
    return detail


def _server(state: CacheState) -> game_schemas.SyncServer:
    return game_schemas.SyncServer(
        id=state.server_id,
        status="cached" if state.cached else "pending",
        cached_at=state.cached_at if state.cached else None,
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
