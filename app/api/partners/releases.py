"""/api/partners/games/{slug}/releases: list and create releases. A rollback is a release of an older build."""

from __future__ import annotations

from flask import Blueprint

from app.accounts.callers import Caller
from app.api.apis import PARTNERS
from app.api.partners import build_schemas as schemas
from app.api.pipeline import Result
from app.catalog.build_list import find_build
from app.catalog.release_history import list_releases
from app.catalog.releasing import make_release
from app.data.models.game import Game, Release
from app.fleet.release_preview import ServerPreview, preview

bp = Blueprint("partner_releases", __name__, url_prefix="/api/partners/games/<slug>/releases")


@bp.get("")
@PARTNERS.call(
    "List releases, newest first",
    scope="read",
    query=schemas.PageQuery,
    responses={200: schemas.ReleaseList},
    errors=(400,),
)
def list_all(caller: Caller, game: Game, query: schemas.PageQuery) -> Result:
    page = list_releases(game, query.limit, query.cursor)
    rows = [_row(release, live=release.id == page.live_id) for release in page.releases]
    shape = schemas.ReleaseList(releases=rows, total=page.total)
    if page.next_cursor:
        shape.next_cursor = page.next_cursor
    return Result(shape)


@bp.post("")
@PARTNERS.call(
    "Release a build, or roll back to one",
    scope="write",
    body=schemas.ReleaseRequest,
    responses={201: schemas.ReleaseRow, 200: schemas.ReleaseRow},
    errors=(400, 413, 415),
)
def create(caller: Caller, game: Game, body: schemas.ReleaseRequest) -> Result:
    made = make_release(game, body.build, caller.actor)
    return Result(_row(made.release, live=True), 201 if made.made else 200)


@bp.get("/preview")
@PARTNERS.call(
    "Preview what releasing a build would change",
    scope="read",
    query=schemas.PreviewQuery,
    responses={200: schemas.ReleaseForecast},
    errors=(400,),
)
def foresee(caller: Caller, game: Game, query: schemas.PreviewQuery) -> Result:
    found = preview(game, find_build(game, str(query.build)), measure=True)
    return Result(
        schemas.ReleaseForecast(
            build=found.build.number,
            live=found.live,
            changes=found.changes,
            bytes_to_fetch=found.bytes_to_fetch,
            bytes_of=sum(server.bytes_of for server in found.servers),
            preparing=found.preparing,
            sessions=found.sessions,
            servers=[_server(server) for server in found.servers],
            warnings=found.build.warnings,
        )
    )


def _row(release: Release, *, live: bool) -> schemas.ReleaseRow:
    return schemas.ReleaseRow(
        id=release.id,
        build=release.build_number,
        released_at=release.released_at,
        released_by=release.released_by,
        live=live,
        build_kept=release.build_id is not None,
        cached_everywhere_at=release.cached_everywhere_at,
    )


def _server(found: ServerPreview) -> schemas.ServerForecast:
    return schemas.ServerForecast(
        id=found.server_id,
        region=found.region,
        has=found.has,
        state=found.state,
        bytes_to_fetch=found.bytes_to_fetch,
        bytes_of=found.bytes_of,
        way=found.way,
        from_build=found.from_build,
        preparing=found.preparing,
        free_bytes=found.free_bytes,
        contact=found.contact,
        paused=found.paused,
        reported_at=found.reported_at,
    )
