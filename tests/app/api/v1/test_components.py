"""Components: kinds, parents, upsert by kind and external key, sides, batch, list, read, delete."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from app.data.extensions import db
from app.images.variant_jobs import derive, due_derivations
from tests.app.api.v1.calling import Studio, answered, refused
from tests.app.images.images import picture
from tests.conftest import Cast

CARD: dict[str, Any] = {"kind": "tile", "name": "My Card", "externalKey": "my-card-001"}
DECK: dict[str, Any] = {"kind": "deck", "name": "Main deck", "externalKey": "main-deck"}


def face(presigned: dict[str, Any], side: str = "front") -> dict[str, Any]:
    """An entry of `assets`, made of what presign answered."""
    return {
        "sideKey": side,
        "key": presigned["key"],
        "sourceUrl": presigned["publicUrl"],
        "contentType": presigned["contentType"],
        "widthPx": 750,
        "heightPx": 1050,
    }


def save(studio: Studio, status: int = 201, **fields: Any) -> Any:
    return answered(studio.at("POST", "/components", json=CARD | fields), status)


def test_a_component_is_made_and_then_updated_in_place(studio: Studio) -> None:
    image = studio.upload(picture())

    made = save(studio, widthMm=63.5, heightMm=88.9, assets=[face(image)])
    again = save(studio, 200, name="Another name")

    assert made == {
        "id": made["id"],
        "kind": "tile",
        "name": "My Card",
        "externalKey": "my-card-001",
        "parentExternalKey": None,
        "widthMm": 63.5,
        "heightMm": 88.9,
        "payload": made["payload"],
        "createdAt": made["createdAt"],
        "updatedAt": made["updatedAt"],
    }
    assert made["payload"]["imageFaces"]["front"]["assetId"] == studio.assets()[0]["id"]
    assert made["payload"]["imageFaces"]["front"]["sourceUrl"] == image["publicUrl"]
    assert isinstance(made["createdAt"], int)
    assert again == made | {"name": "Another name", "updatedAt": again["updatedAt"]}
    assert studio.assets()[0]["componentId"] == made["id"]
    assert answered(studio.at("GET", "/components")) == {"components": [again]}
    assert answered(studio.at("GET", f"/components/{made['id']}")) == again


def test_a_new_image_for_a_side_replaces_the_old_one_and_other_sides_stay(studio: Studio) -> None:
    front, back, other = (studio.upload(picture(seed=seed)) for seed in (1, 2, 3))
    save(studio, assets=[face(front), face(back, "back")])

    changed = save(studio, 200, assets=[face(other)])

    faces = changed["payload"]["imageFaces"]
    assert {side: one["sourceUrl"] for side, one in faces.items()} == {
        "front": other["publicUrl"],
        "back": back["publicUrl"],
    }
    shown = {asset["key"]: asset["componentId"] for asset in studio.assets()}
    assert shown == {front["key"]: None, back["key"]: changed["id"], other["key"]: changed["id"]}


def test_the_sizes_of_a_face_are_shown_once_they_are_made(app: Flask, studio: Studio) -> None:
    image = studio.upload(picture(300, 420))
    pending = save(studio, assets=[face(image)])["payload"]["imageFaces"]["front"]
    assert pending["derivation"] == "pending"
    assert pending["variants"] == []

    for blob_id in due_derivations(db.session()):
        derive(blob_id)

    ready = answered(studio.at("GET", "/components"))["components"][0]["payload"]["imageFaces"]["front"]
    assert ready["derivation"] == "ready"
    assert ready["placeholder"]
    assert [(v["size"], v["widthPx"], v["heightPx"]) for v in ready["variants"]] == [
        (256, 183, 256),
        (768, 300, 420),
        (2048, 300, 420),
    ]
    for variant in ready["variants"]:
        served = studio.client.get(variant["url"])
        assert served.mimetype == variant["contentType"] == "image/webp"
        assert len(served.data) == variant["byteSize"]


def test_these_kinds_stand_alone(studio: Studio) -> None:
    for kind in ("tile", "deck", "board", "tokenSprite", "tokenModel", "die", "container", "counter", "bundle"):
        assert save(studio, kind=kind)["kind"] == kind


def test_a_stack_is_a_deck(studio: Studio) -> None:
    made = save(studio, kind="stack")
    assert made["kind"] == "deck"
    assert save(studio, 200, kind="deck")["id"] == made["id"]


def test_a_card_is_a_tile_in_a_deck(studio: Studio) -> None:
    save(studio, **DECK)
    card = save(studio, kind="card", parentExternalKey="main-deck")
    tile = save(studio, 200, kind="tile")
    assert tile["id"] == card["id"]
    assert tile["parentExternalKey"] == "main-deck"


def test_parents_must_fit(studio: Studio, subtests: pytest.Subtests) -> None:
    for parent in ("deck", "bundle", "die"):
        save(studio, kind=parent, externalKey=f"the-{parent}")
    for kind, parent, fits in (
        ("tile", "deck", True),
        ("tile", "bundle", True),
        ("card", "deck", True),
        ("card", "bundle", False),
        ("dieFace", "die", True),
        ("dieFace", "deck", False),
        ("tile", "die", False),
        ("deck", "bundle", False),
        ("board", "deck", False),
    ):
        with subtests.test(kind=kind, parent=parent):
            body = {"kind": kind, "parentExternalKey": f"the-{parent}", "externalKey": f"{kind}-{parent}"}
            answer = studio.at("POST", "/components", json=CARD | body)
            if fits:
                assert answered(answer, 201)["parentExternalKey"] == f"the-{parent}"
            else:
                assert "parentExternalKey" in refused(answer, 400, "VALIDATION_ERROR")


def test_these_kinds_need_a_parent(studio: Studio) -> None:
    for kind in ("card", "dieFace"):
        refused(studio.at("POST", "/components", json=CARD | {"kind": kind}), 400, "VALIDATION_ERROR")


def test_a_parent_that_two_have_the_key_of_is_refused(studio: Studio) -> None:
    save(studio, kind="deck", externalKey="twice")
    save(studio, kind="bundle", externalKey="twice")
    message = refused(
        studio.at("POST", "/components", json=CARD | {"parentExternalKey": "twice"}), 400, "VALIDATION_ERROR"
    )
    assert "twice" in message


def test_null_clears_a_field_and_what_is_not_named_stays(studio: Studio) -> None:
    save(studio, **DECK)
    save(studio, widthMm=20, heightMm=30, parentExternalKey="main-deck")
    kept = save(studio, 200)
    assert (kept["widthMm"], kept["heightMm"], kept["parentExternalKey"]) == (20, 30, "main-deck")
    cleared = save(studio, 200, widthMm=None, parentExternalKey=None)
    assert (cleared["widthMm"], cleared["heightMm"], cleared["parentExternalKey"]) == (None, 30, None)


def test_the_same_again_changes_nothing(studio: Studio) -> None:
    image = studio.upload(picture())
    made = save(studio, widthMm=63.5, assets=[face(image)])
    assert save(studio, 200, widthMm=63.5, assets=[face(image)]) == made


def test_a_batch_is_applied_in_order(studio: Studio) -> None:
    image = studio.upload(picture())
    batch = [
        DECK,
        CARD | {"kind": "card", "parentExternalKey": "main-deck", "assets": [face(image, "back")]},
        CARD | {"kind": "card", "externalKey": "two", "parentExternalKey": "main-deck"},
        CARD | {"kind": "card", "name": "Renamed", "parentExternalKey": "main-deck"},
    ]
    answer = answered(studio.at("POST", "/components/batch", json={"components": batch}))
    assert [one["name"] for one in answer["components"]] == ["Main deck", "Renamed", "My Card", "Renamed"]
    listed = answered(studio.at("GET", "/components"))["components"]
    assert [one["externalKey"] for one in listed] == ["main-deck", "my-card-001", "two"]


def test_a_batch_is_all_or_nothing_and_names_the_item(studio: Studio) -> None:
    bad = CARD | {"externalKey": "lost", "parentExternalKey": "nowhere"}
    message = refused(
        studio.at("POST", "/components/batch", json={"components": [DECK, CARD, bad]}), 400, "VALIDATION_ERROR"
    )
    assert "components[2]" in message
    assert "nowhere" in message
    assert answered(studio.at("GET", "/components")) == {"components": []}


def test_a_batch_names_the_item_whose_field_is_wrong(studio: Studio) -> None:
    batch = {"components": [CARD, CARD | {"widthMm": -1}]}
    assert "components[1].widthMm" in refused(
        studio.at("POST", "/components/batch", json=batch), 400, "VALIDATION_ERROR"
    )


def test_a_batch_has_1_to_100_items(studio: Studio) -> None:
    for count in (0, 101):
        batch = {"components": [CARD | {"externalKey": f"c-{number}"} for number in range(count)]}
        refused(studio.at("POST", "/components/batch", json=batch), 400, "VALIDATION_ERROR")


WRONG_FIELDS: list[dict[str, Any]] = [
    {"kind": "chessboard"},
    {"kind": ...},
    {"name": ""},
    {"name": "x" * 257},
    {"name": ...},
    {"externalKey": ""},
    {"externalKey": "x" * 257},
    {"externalKey": ...},
    {"widthMm": 0},
    {"heightMm": -3},
    {"widthMm": "wide"},
    {"assets": [{"sideKey": "front"}]},
    {"assets": "front"},
    {"name": "nul\x00"},
]


def test_fields_that_break_a_rule_are_refused(studio: Studio, subtests: pytest.Subtests) -> None:
    for fields in WRONG_FIELDS:
        with subtests.test(fields=fields):
            body = {name: value for name, value in (CARD | fields).items() if value is not ...}
            message = refused(studio.at("POST", "/components", json=body), 400, "VALIDATION_ERROR")
            assert next(iter(fields)) in message


def test_a_key_that_was_not_confirmed_is_not_found(studio: Studio) -> None:
    presigned = answered(studio.presign(picture()))
    refused(studio.at("POST", "/components", json=CARD | {"assets": [face(presigned)]}), 404, "ASSET_NOT_FOUND")
    nonsense = face(presigned) | {"key": "uploads/elsewhere"}
    refused(studio.at("POST", "/components", json=CARD | {"assets": [nonsense]}), 404, "ASSET_NOT_FOUND")
    assert answered(studio.at("GET", "/components")) == {"components": []}


def test_a_key_confirmed_in_another_game_needs_no_second_upload(studio: Studio) -> None:
    first = studio.game_id
    image = studio.upload(picture())
    studio.new_game("Second")
    made = save(studio, assets=[face(image)])
    (asset,) = studio.assets()
    assert made["payload"]["imageFaces"]["front"]["assetId"] == asset["id"]
    studio.game_id = first
    assert studio.assets()[0]["id"] != asset["id"]


def test_children_go_with_their_parent_and_images_stay(studio: Studio) -> None:
    image = studio.upload(picture())
    deck = save(studio, **DECK)
    save(studio, kind="card", parentExternalKey="main-deck", assets=[face(image)])

    assert studio.at("DELETE", f"/components/{deck['id']}").status_code == 204

    assert answered(studio.at("GET", "/components")) == {"components": []}
    assert [asset["componentId"] for asset in studio.assets()] == [None]
    refused(studio.at("DELETE", f"/components/{deck['id']}"), 404, "COMPONENT_NOT_FOUND")
    refused(studio.at("GET", f"/components/{deck['id']}"), 404, "COMPONENT_NOT_FOUND")


def test_lists_can_be_read_in_pages(studio: Studio, cast: Cast) -> None:
    batch = [CARD | {"externalKey": f"c-{number}"} for number in range(5)]
    answered(studio.at("POST", "/components/batch", json={"components": batch}))
    seen: list[str] = []
    query = "?limit=2"
    while query:
        page = answered(studio.at("GET", f"/components{query}"))
        seen += [one["externalKey"] for one in page["components"]]
        query = f"?limit=2&cursor={page['nextCursor']}" if "nextCursor" in page else ""
    assert seen == ["c-0", "c-1", "c-2", "c-3", "c-4"]
    refused(studio.at("GET", "/components?cursor=nonsense"), 400, "VALIDATION_ERROR")
    refused(studio.at("GET", "/components?limit=0"), 400, "VALIDATION_ERROR")
