"""What the dashboard asks: gallery, uses, undo, pictures, quota, board, what finalizing freezes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zlib import crc32

import pytest
from flask import Flask
from sqlalchemy import event, insert

from app.catalog.games import update_game
from app.components.board import BoardFilter, board, freeze_summary
from app.components.image_deletion import delete_asset, restore_asset
from app.components.revisions import changes, draft_of
from app.data.database import writing
from app.data.extensions import db
from app.data.models.asset import Asset, Blob
from app.data.models.base import now
from app.data.models.game import Game
from app.images.asset_refusals import AssetNotFound
from app.images.gallery import GalleryFilter, apps_with_assets, asset_detail, gallery, quota_summary
from app.images.game_pictures import pick_cover, pick_screenshots, pictures_of
from app.images.variant_jobs import derive, due_derivations
from app.maintenance.image_sweep import sweep_assets
from app.refusals import InvalidRequest, QuotaExceeded
from tests.app.api.v1.calling import Studio, answered
from tests.app.api.v1.test_components import CARD, DECK, face, save
from tests.app.images.images import picture
from tests.conftest import CAST, Cast
from tests.key_checks import is_key_check


@pytest.fixture
def game(studio: Studio) -> Game:
    return db.session.get_one(Game, studio.game_id)


def ids(studio: Studio) -> dict[str, str]:
    """File name → asset id."""
    return {asset["fileName"]: asset["id"] for asset in studio.assets()}


def upload(studio: Studio, *names: str) -> list[dict[str, Any]]:
    return [studio.upload(picture(40, 56, seed=crc32(name.encode())), fileName=name) for name in names]


def test_the_gallery_is_newest_first_and_says_what_shows_an_image(studio: Studio, game: Game, cast: Cast) -> None:
    front, back, _ = upload(studio, "front.png", "back.png", "loose.png")
    save(studio, **DECK)
    save(studio, kind="card", parentExternalKey="main-deck", assets=[face(front), face(back, "back")])
    save(studio, kind="card", externalKey="2", parentExternalKey="main-deck", assets=[face(back, "back")])

    page = gallery(game, GalleryFilter())

    assert [tile.file_name for tile in page.images] == ["loose.png", "back.png", "front.png"]
    assert (page.counts.all, page.counts.used, page.counts.unused) == (3, 2, 1)
    loose, shown_back, shown_front = page.images
    assert not loose.is_used
    assert [(use.side, use.components, use.kind) for use in shown_back.sides] == [("back", 2, "card")]
    assert [(use.side, use.components, use.name) for use in shown_front.sides] == [("front", 1, "My Card")]
    assert shown_front.app_name == "CI"
    assert [app.name for app in apps_with_assets(game)] == ["CI"]
    summary = quota_summary(cast.starlight.partner_id)
    assert (summary.images, summary.unused) == (3, 1)
    assert summary.quota.used == sum(tile.image.byte_size for tile in page.images)


def test_the_gallery_can_be_searched_filtered_and_paged(studio: Studio, game: Game) -> None:
    front, *_ = upload(studio, "Front.png", "back.png", "board.png")
    save(studio, assets=[face(front)])

    def names(**wanted: Any) -> list[str]:
        return [tile.file_name for tile in gallery(game, GalleryFilter(**wanted)).images]

    assert names(text="FRONT") == ["Front.png"]
    assert names(text="%") == []
    assert names(used=True) == ["Front.png"]
    assert names(used=False) == ["board.png", "back.png"]
    assert names(app_id="app_nobody") == []
    first = gallery(game, GalleryFilter(limit=2))
    assert [tile.file_name for tile in first.images] == ["board.png", "back.png"]
    assert names(limit=2, after=first.next_cursor) == ["Front.png"]


def test_the_detail_names_every_component(studio: Studio, game: Game) -> None:
    (image,) = upload(studio, "card.png")
    save(studio, assets=[face(image), face(image, "back")])
    detail = asset_detail(game, ids(studio)["card.png"])
    assert [(one.external_key, one.side) for one in detail.shown_on] == [
        ("my-card-001", "back"),
        ("my-card-001", "front"),
    ]
    with pytest.raises(AssetNotFound):
        asset_detail(game, "nothing")


@pytest.mark.slow
def test_10000_images_take_as_many_queries_as_ten(app: Flask, studio: Studio, game: Game, cast: Cast) -> None:
    upload(studio, "one.png")

    def count() -> int:
        seen: list[str] = []

        def note(*arguments: Any) -> None:
            if not is_key_check(arguments[3]):
                seen.append(arguments[2])

        event.listen(db.engine, "before_cursor_execute", note)
        try:
            assert len(gallery(game, GalleryFilter()).images) > 0
            quota_summary(cast.starlight.partner_id)
            assert studio.assets()
        finally:
            event.remove(db.engine, "before_cursor_execute", note)
        return len(seen)

    fill(studio, cast, 10)
    few = count()
    fill(studio, cast, 9_990)
    assert count() == few
    assert len(studio.assets()) == 10_001


def fill(studio: Studio, cast: Cast, count: int) -> None:
    """Rows of images that were confirmed, without their objects."""
    (asset,) = db.session.query(Asset).limit(1).all()
    started = db.session.query(Blob).count()
    common = {"partner_id": cast.starlight.partner_id, "size": 10, "mime_type": "image/png", "width_px": 1}
    common |= {"height_px": 1, "state": "stored", "unused_since": None, "created_at": now(), "held_at": now()}
    common |= {"derivation": "pending", "derive_attempts": 0, "derive_at": now()}
    numbers = range(started, started + count)
    blobs = [
        common | {"id": f"blob_{n}", "sha256": f"{n:064x}", "object_key": f"uploads/sh/filled-{n}"} for n in numbers
    ]
    assets = [
        {"id": f"asset{n}", "game_id": studio.game_id, "app_id": asset.app_id, "blob_id": f"blob_{n}"}
        | {"file_name": f"{n}.png", "sent_by": "CI", "created_at": now()}
        for n in numbers
    ]
    with writing() as session:
        session.execute(insert(Blob), blobs)
        session.execute(insert(Asset), assets)
    db.session.rollback()


def test_undo_brings_an_image_back_to_everything_that_showed_it(studio: Studio, game: Game, cast: Cast) -> None:
    image, other = upload(studio, "card.png", "other.png")
    save(studio, assets=[face(image), face(image, "back")])
    asset_id = ids(studio)["card.png"]
    pick_cover(game, asset_id, CAST)
    pick_screenshots(game, [ids(studio)["other.png"], asset_id], CAST)
    before = quota_summary(cast.starlight.partner_id).quota.used

    delete_asset(game, asset_id, CAST)
    assert pictures_of([game.id])[game.id].cover is None
    save(studio, 200, assets=[face(other, "back")])  # meanwhile something else is put on one side
    restored = restore_asset(game, asset_id, CAST)

    assert restored.id == asset_id
    faces = answered(studio.at("GET", "/components"))["components"][0]["payload"]["imageFaces"]
    assert {side: one["sourceUrl"] for side, one in faces.items()} == {
        "front": image["publicUrl"],
        "back": other["publicUrl"],
    }
    pictures = pictures_of([game.id])[game.id]
    assert pictures.cover is not None
    assert pictures.cover.asset_id == asset_id
    assert [shot.asset_id for shot in pictures.screenshots] == [ids(studio)["other.png"], asset_id]
    assert quota_summary(cast.starlight.partner_id).quota.used == before
    assert studio.client.get(image["publicUrl"]).status_code == 200


def test_undo_is_over_once_the_sweep_has_been_there(studio: Studio, game: Game) -> None:
    upload(studio, "card.png")
    asset_id = ids(studio)["card.png"]
    delete_asset(game, asset_id, CAST)
    sweep_assets(timedelta(hours=1), undo=timedelta(0), lease=timedelta(0), scan=False)
    with pytest.raises(AssetNotFound):
        restore_asset(game, asset_id, CAST)


def test_undo_after_the_same_file_was_uploaded_again_makes_no_second_one(studio: Studio, game: Game) -> None:
    (image,) = upload(studio, "card.png")
    save(studio, assets=[face(image)])
    asset_id = ids(studio)["card.png"]
    delete_asset(game, asset_id, CAST)
    upload(studio, "card.png")
    restored = restore_asset(game, asset_id, CAST)
    assert [restored.id] == list(ids(studio).values())
    assert studio.assets()[0]["componentId"]


@pytest.mark.settings(ASSET_QUOTA_BYTES="12000")
def test_undo_needs_its_room_back(studio: Studio, game: Game) -> None:
    studio.upload(picture(seed=1), fileName="first.png")
    asset_id = ids(studio)["first.png"]
    delete_asset(game, asset_id, CAST)
    studio.upload(picture(seed=2), fileName="second.png")
    with pytest.raises(QuotaExceeded):
        restore_asset(game, asset_id, CAST)
    assert list(ids(studio)) == ["second.png"]


def test_the_picked_cover_and_screenshots_show_in_the_partner_api(studio: Studio, game: Game) -> None:
    data = picture(600, 840)
    image = studio.upload(data, fileName="cover.png")
    asset_id = ids(studio)["cover.png"]
    update_game(game, {"thumbnail": "https://cdn.example/outside.jpg"}, CAST)

    def shown() -> tuple[str | None, list[str] | None]:
        detail = answered(studio.ask("GET", "/api/partners/games/paper-lanterns"))
        return detail["thumbnail"], detail.get("screenshots")

    assert shown() == ("https://cdn.example/outside.jpg", None)
    pick_cover(game, asset_id, CAST)
    pick_screenshots(game, [asset_id], CAST)
    assert shown() == (image["publicUrl"], [image["publicUrl"]])

    for blob_id in due_derivations(db.session()):
        derive(blob_id)
    assert shown() == (f"{image['publicUrl']}.v1-768.webp", [f"{image['publicUrl']}.v1-2048.webp"])

    answered(studio.ask("PATCH", "/api/partners/games/paper-lanterns", json={"thumbnail": "https://x.example/y.png"}))
    assert shown() == ("https://x.example/y.png", [f"{image['publicUrl']}.v1-2048.webp"])
    answered(studio.ask("PATCH", "/api/partners/games/paper-lanterns", json={"screenshots": ["https://x.example/1"]}))
    assert shown() == ("https://x.example/y.png", ["https://x.example/1"])


def test_an_image_that_was_picked_loses_its_place_with_its_deletion(studio: Studio, game: Game) -> None:
    upload(studio, "cover.png")
    pick_cover(game, ids(studio)["cover.png"], CAST)
    assert studio.at("DELETE", f"/assets/{ids(studio)['cover.png']}").status_code == 204
    assert pictures_of([game.id])[game.id].cover is None
    with pytest.raises(AssetNotFound):
        pick_cover(game, "nothing", CAST)


def test_only_images_of_the_game_itself_can_be_picked(studio: Studio, game: Game) -> None:
    studio.new_game("Second")
    upload(studio, "theirs.png")
    with pytest.raises(AssetNotFound):
        pick_screenshots(game, list(ids(studio).values()), CAST)
    with pytest.raises(InvalidRequest):
        pick_screenshots(game, [f"a{number}" for number in range(51)], CAST)


def test_changes_are_counted_against_the_newest_finalized_revision(studio: Studio, game: Game) -> None:
    first, second = upload(studio, "1.png", "2.png")
    kept, changed, dropped = (save(studio, externalKey=key, assets=[face(first)]) for key in ("a", "b", "c"))
    assert changes(game.id).since is None
    assert len(changes(game.id).added) == 3
    answered(studio.at("POST", "/revisions/1/finalize"))
    assert changes(game.id).count == 0

    save(studio, 200, externalKey="b", assets=[face(second)])
    studio.at("DELETE", f"/components/{dropped['id']}")
    added = save(studio, externalKey="d")

    found = changes(game.id)
    assert found.since == 1
    assert [ref.id for ref in found.added] == [added["id"]]
    assert [ref.id for ref in found.changed] == [changed["id"]]
    assert [ref.id for ref in found.removed] == [dropped["id"]]
    assert kept["id"] not in {ref.id for ref in found.changed}


def test_what_finalizing_freezes(studio: Studio, game: Game) -> None:
    front, back = upload(studio, "front.png", "back.png")
    save(studio, **DECK)
    save(studio, kind="card", parentExternalKey="main-deck", assets=[face(front), face(back, "back")])
    lonely = save(studio, kind="card", externalKey="2", parentExternalKey="main-deck", assets=[face(front)])

    summary = freeze_summary(game)

    assert (summary.number, summary.components, dict(summary.kinds)) == (1, 3, {"deck": 1, "card": 2})
    assert summary.images == 2
    assert summary.image_bytes == sum(asset["byteSize"] for asset in studio.assets())
    assert [(p.component_id, p.side) for p in summary.problems if p.what == "missing"] == [(lonely["id"], "back")]
    assert {p.what for p in summary.problems} == {"missing", "pending"}


def test_the_board_has_a_section_for_each_parent(studio: Studio, game: Game) -> None:
    save(studio, **DECK)
    save(studio, kind="card", name="Lantern Keeper", parentExternalKey="main-deck")
    save(studio, kind="board", name="Archipelago", externalKey="board")
    die = save(studio, kind="die", name="Weather die", externalKey="die")
    save(studio, kind="dieFace", name="Sun", externalKey="sun", parentExternalKey="die")

    found = board(game, draft_of(game.id))

    assert [
        (section.parent.name if section.parent else None, [one.name for one in section.components])
        for section in found.sections
    ] == [("Main deck", ["Lantern Keeper"]), (None, ["Archipelago", "Weather die"])]
    assert [one.name for one in found.inside[die["id"]]] == ["Sun"]
    assert found.kinds == {"deck": 1, "card": 1, "board": 1, "die": 1, "dieFace": 1}
    (only,) = board(game, draft_of(game.id), BoardFilter("lantern")).sections
    assert only.parent is not None
    assert only.parent.name == DECK["name"]
    assert CARD["name"] not in [one.name for one in only.components]
