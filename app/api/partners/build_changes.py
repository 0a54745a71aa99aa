"""/api/partners/games/{slug}/builds/{number}/changes: the files that differ between two builds."""

from __future__ import annotations

from flask import Blueprint

from app.accounts.callers import Caller
from app.api.apis import PARTNERS
from app.api.partners import change_schemas as schemas
from app.api.pipeline import Result
from app.catalog.build_list import find_build
from app.data.models.game import Build, Game
from app.packing.build_changes import list_changes
from app.packing.change_table import ChangeFilter
from slipway.packs.comparing import Change, ChangeKind

bp = Blueprint("partner_build_changes", __name__, url_prefix="/api/partners/games/<slug>/builds")


@bp.get("/<number>/changes")
@PARTNERS.call(
    "List the files that a build adds, removes and changes, largest first",
    scope="read",
    target=find_build,
    query=schemas.ChangesQuery,
    responses={200: schemas.ChangeList},
    errors=(400, 409, 503),
)
def list_all(caller: Caller, game: Game, target: Build, query: schemas.ChangesQuery) -> Result:
    chosen = ChangeFilter(ChangeKind(query.kind) if query.kind else None, query.q or "")
    found = list_changes(game, target, query.against, chosen, query.limit, query.cursor)
    compared = found.compared
    shape = schemas.ChangeList(
        build=compared.build,
        against=compared.against,
        top_directory=compared.top_directories[1],
        top_directory_against=compared.top_directories[0],
        added=found.counts[ChangeKind.ADDED],
        removed=found.counts[ChangeKind.REMOVED],
        changed=found.counts[ChangeKind.CHANGED],
        new_bytes=compared.table.new_bytes,
        changes=[_row(change) for change in found.page.changes],
        total=found.page.matching,
    )
    if found.next_cursor:
        shape.next_cursor = found.next_cursor
    return Result(shape)


def _row(change: Change) -> schemas.ChangeRow:
    return schemas.ChangeRow(
        path=change.path,
        kind=change.kind.value,
        old_size=change.old_size,
        new_size=change.new_size,
        new_bytes=change.new_bytes,
    )
