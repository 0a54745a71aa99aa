"""/api/v1/games: list and create (assets-api.md section 4, DECISIONS 1)."""

from __future__ import annotations

from flask import Blueprint, Response

from app.accounts.callers import Caller
from app.api.apis import V1
from app.api.kept_answers import list_answer
from app.api.pipeline import Result
from app.api.v1 import schemas
from app.catalog import game_reads
from app.catalog.game_filters import GameFilter
from app.catalog.game_reads import ListedGame
from app.catalog.games_by_id import create_named_game
from app.data.models.game import Game
from app.data.models.partner import PartnerIdentity

bp = Blueprint("v1_games", __name__, url_prefix="/api/v1/games")


@bp.get("")
@V1.call(
    "List your games",
    scope="read",
    limit="list",
    query=schemas.Paging,
    responses={200: schemas.GameListShape},
    errors=(400,),
)
def games(caller: Caller, query: schemas.Paging) -> Response:
    version = game_reads.catalog_version(caller.partner)
    return list_answer(caller.partner.id, version, lambda: _list(caller.partner, query))


def _list(partner: PartnerIdentity, query: schemas.Paging) -> schemas.GameListShape:
    page = game_reads.list_games(partner, GameFilter(limit=query.limit, after=query.cursor))
    shape = schemas.GameListShape.model_construct(games=[_row(game) for game in page.games])
    if page.next_cursor:
        shape.next_cursor = page.next_cursor
    return shape


@bp.post("")
@V1.call(
    "Create a game",
    scope="write",
    limit="new-game",
    body=schemas.NewGame,
    responses={201: schemas.GameShape},
    errors=(400, 413),
    free_refusals=(Exception,),
)
def create(caller: Caller, body: schemas.NewGame) -> Result:
    return Result(_row(create_named_game(caller.partner, body.name, caller.actor)), 201)


def _row(game: Game | ListedGame) -> schemas.GameShape:
    return schemas.GameShape.model_construct(id=game.id, name=game.title, created_at=game.created_at)
