"""/api/v1/games/{id}/revisions: list and finalize (assets-api.md section 7, DECISIONS 13)."""

from __future__ import annotations

from flask import Blueprint

from app.accounts.callers import Caller
from app.api.apis import V1
from app.api.pipeline import Result
from app.api.v1 import schemas
from app.components.revisions import RevisionSummary, finalize, list_revisions
from app.data.models.game import Game
from app.images.asset_refusals import RevisionNotFound

bp = Blueprint("v1_revisions", __name__, url_prefix="/api/v1/games/<game_id>/revisions")


@bp.get("")
@V1.call("List revisions", scope="read", limit="list", responses={200: schemas.RevisionListShape})
def revisions(caller: Caller, game: Game) -> Result:
    return Result(schemas.RevisionListShape(revisions=[_shape(one) for one in list_revisions(game)]))


@bp.post("/<number>/finalize")
@V1.call(
    "Finalize the draft and open the next",
    scope="write",
    limit="component",
    responses={200: schemas.RevisionShape},
    errors=(409,),
)
def finalize_revision(caller: Caller, game: Game, number: str) -> Result:
    if not number.isdecimal() or len(number) > 9:
        raise RevisionNotFound(f"'{number[:40]}' is not a revision number. List them with GET …/revisions.")
    return Result(_shape(finalize(game, int(number), caller.actor)))


def _shape(one: RevisionSummary) -> schemas.RevisionShape:
    return schemas.RevisionShape.model_construct(
        number=one.number,
        state=one.state,
        component_count=one.component_count,
        created_at=one.created_at,
        finalized_at=one.finalized_at,
        finalized_by=one.finalized_by,
    )
