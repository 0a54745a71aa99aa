"""What a studio's script does first, written with the generated Python client. Its types are checked before it runs.

Usage: main_job.py ADDRESS KEY SERVER_TOKEN ARCHIVE IMAGE
"""

from __future__ import annotations

import base64
import hashlib
import sys
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import httpx
from slipway_client import AuthenticatedClient
from slipway_client.api.builds import partner_build_download_download, partner_builds_list_all
from slipway_client.api.games import (
    partner_games_change,
    partner_games_read,
    partner_games_register,
    partner_upload_upload,
)
from slipway_client.api.releases import partner_releases_create, partner_releases_list_all
from slipway_client.api.servers import own_server_read_plan, own_server_report
from slipway_client.api.uploads import partner_uploads_begin
from slipway_client.api.v1_assets import v1_assets_assets, v1_assets_confirm_asset, v1_assets_presign_asset
from slipway_client.api.v1_components import v1_components_clear_side, v1_components_components, v1_components_save
from slipway_client.api.v1_games import v1_games_games
from slipway_client.api.v1_revisions import v1_revisions_revisions
from slipway_client.models import (
    AgentReport,
    AssetListShape,
    BuildDownload,
    BuildList,
    ComponentListShape,
    ComponentRequest,
    ComponentRequestKind,
    ComponentShape,
    ConfirmAnswer,
    ConfirmRequest,
    ConfirmRequestContentType,
    Disk,
    FaceRequest,
    GameChanges,
    GameDetail,
    GameListShape,
    GameRegistered,
    GameRegistration,
    Health,
    HealthStatus,
    PlanAnswer,
    PresignAnswer,
    PresignRequest,
    PresignRequestContentType,
    Problem,
    ReleaseList,
    ReleaseRequest,
    ReleaseRow,
    ReportReceipt,
    RevisionListShape,
    UploadAnswer,
    UploadOpened,
    UploadRequest,
)
from slipway_client.types import File

SLUG = "paper-lanterns"


def main(address: str, key: str, token: str, archive: bytes, image: bytes) -> None:
    studio = AuthenticatedClient(base_url=address, token=key, raise_on_unexpected_status=True)
    game_id = register(studio)
    send_builds(studio, archive)
    show_images(studio, game_id, image)
    report(AuthenticatedClient(base_url=address, token=token, raise_on_unexpected_status=True))


def register(studio: AuthenticatedClient) -> str:
    body = GameRegistration(
        title="Paper Lanterns",
        slug=SLUG,
        developer="Kite Works",
        description="A quiet story about a festival.",
        tags=["Visual Novel"],
        launcher="paper-lanterns.sh",
        renpy_dir="PaperLanterns-1.0",
    )
    made = partner_games_register.sync(client=studio, body=body, idempotency_key="once")
    assert isinstance(made, GameRegistered), made
    taken = partner_games_register.sync(client=studio, body=body, idempotency_key="twice")
    assert isinstance(taken, Problem), taken
    assert taken.error == "slug_taken"
    read = partner_games_read.sync_detailed(SLUG, client=studio)
    changes = GameChanges(title="Paper Lanterns 2")
    changed = partner_games_change.sync(SLUG, client=studio, body=changes, if_match=read.headers["ETag"])
    assert isinstance(changed, GameDetail), changed
    late = partner_games_change.sync_detailed(SLUG, client=studio, body=changes, if_match=read.headers["ETag"])
    assert late.status_code == 412, late
    return made.id


def send_builds(studio: AuthenticatedClient, archive: bytes) -> None:
    sent = partner_upload_upload.sync(SLUG, client=studio, body=File(BytesIO(archive)))
    assert isinstance(sent, UploadAnswer), sent
    assert sent.checksum == f"sha256:{hashlib.sha256(archive).hexdigest()}"
    begun = partner_uploads_begin.sync(SLUG, client=studio, body=UploadRequest(file_name="a.tar.gz", size=len(archive)))
    assert isinstance(begun, UploadOpened), begun
    assert httpx.put(begun.urls[0].url, content=archive).status_code == 200
    assert abs((begun.created_at - datetime.now(UTC)).total_seconds()) < 3600
    listed = partner_builds_list_all.sync(SLUG, client=studio)
    assert isinstance(listed, BuildList), listed
    assert [build.number for build in listed.builds] == [1]
    released = partner_releases_create.sync(SLUG, client=studio, body=ReleaseRequest(build=1))
    assert isinstance(released, ReleaseRow), released
    releases = partner_releases_list_all.sync(SLUG, client=studio, limit=10)
    assert isinstance(releases, ReleaseList), releases
    assert releases.releases[0].released_at <= datetime.now(UTC)
    as_json = studio.with_headers({"Accept": "application/json"})
    download = partner_build_download_download.sync(SLUG, 1, client=as_json)
    assert isinstance(download, BuildDownload), download
    assert httpx.get(download.url).content == archive


def show_images(studio: AuthenticatedClient, game_id: str, image: bytes) -> None:
    games = v1_games_games.sync(client=studio)
    assert isinstance(games, GameListShape), games
    assert [game.id for game in games.games] == [game_id]
    presigned = v1_assets_presign_asset.sync(
        game_id,
        client=studio,
        body=PresignRequest(
            file_name="card.png",
            content_type=PresignRequestContentType.IMAGEPNG,
            byte_size=len(image),
            checksum="sha256-" + base64.b64encode(hashlib.sha256(image).digest()).decode(),
        ),
    )
    assert isinstance(presigned, PresignAnswer), presigned
    headers = {"Content-Type": presigned.content_type}
    assert httpx.put(presigned.signed_url, content=image, headers=headers).status_code == 200
    confirmed = v1_assets_confirm_asset.sync(
        game_id,
        client=studio,
        body=ConfirmRequest(
            key=presigned.key,
            public_url=presigned.public_url,
            byte_size=len(image),
            content_type=ConfirmRequestContentType.IMAGEPNG,
        ),
    )
    assert isinstance(confirmed, ConfirmAnswer), confirmed
    assets = v1_assets_assets.sync(game_id, client=studio)
    assert isinstance(assets, AssetListShape), assets
    assert assets.assets[0].created_at > 1_700_000_000_000
    face = FaceRequest("front", presigned.key, presigned.public_url, presigned.content_type, 75, 105)
    component = ComponentRequest(ComponentRequestKind.TILE, "My Card", "my-card-001", assets=[face])
    saved = v1_components_save.sync(game_id, client=studio, body=component)
    assert isinstance(saved, ComponentShape), saved
    assert v1_components_clear_side.sync_detailed(game_id, saved.id, "front", client=studio).status_code == 204
    components = v1_components_components.sync(game_id, client=studio)
    assert isinstance(components, ComponentListShape), components
    assert components.components[0].updated_at >= saved.created_at
    assert not components.components[0].payload.image_faces.additional_properties
    revisions = v1_revisions_revisions.sync(game_id, client=studio)
    assert isinstance(revisions, RevisionListShape), revisions
    assert revisions.revisions[0].created_at > 1_700_000_000_000


def report(server: AuthenticatedClient) -> None:
    plan = own_server_read_plan.sync(client=server)
    assert isinstance(plan, PlanAnswer), plan
    assert [build.build for build in plan.builds] == [1]
    receipt = own_server_report.sync(
        client=server,
        body=AgentReport(
            boot_id="boot-1",
            sequence=1,
            health=Health(HealthStatus.OK, 0, 1.5, 20.0, 30.0),
            disk=Disk(10**12, 10**11, 10**10),
        ),
    )
    assert isinstance(receipt, ReportReceipt), receipt
    assert receipt.accepted


if __name__ == "__main__":
    address, key, token, archive, image = sys.argv[1:]
    main(address, key, token, Path(archive).read_bytes(), Path(image).read_bytes())
