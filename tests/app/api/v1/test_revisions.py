"""Revisions: one draft, finalized ones that never change, copies that keep ids."""

from __future__ import annotations

from typing import Any

import pytest

from tests.app.api.v1.calling import Studio, answered, refused
from tests.app.api.v1.test_components import CARD, DECK, face, save
from tests.app.images.images import picture


def finalize(studio: Studio, number: int | str) -> Any:
    return studio.at("POST", f"/revisions/{number}/finalize")


def revisions(studio: Studio) -> list[tuple[int, str, int]]:
    found = answered(studio.at("GET", "/revisions"))["revisions"]
    return [(one["number"], one["state"], one["componentCount"]) for one in found]


def test_a_new_game_has_one_empty_draft(studio: Studio) -> None:
    (draft,) = answered(studio.at("GET", "/revisions"))["revisions"]
    assert draft == {
        "number": 1,
        "state": "draft",
        "componentCount": 0,
        "createdAt": draft["createdAt"],
        "finalizedAt": None,
        "finalizedBy": None,
    }
    assert isinstance(draft["createdAt"], int)


def test_finalizing_freezes_the_draft_and_opens_the_next_as_a_copy(studio: Studio) -> None:
    image = studio.upload(picture())
    save(studio, **DECK)
    card = save(studio, kind="card", parentExternalKey="main-deck", widthMm=63.5, assets=[face(image)])
    before = answered(studio.at("GET", "/components"))

    frozen = answered(finalize(studio, 1))

    assert (frozen["number"], frozen["state"], frozen["componentCount"]) == (1, "finalized", 2)
    assert isinstance(frozen["finalizedAt"], int)
    assert frozen["finalizedBy"].startswith("CI · pp_")
    assert revisions(studio) == [(2, "draft", 2), (1, "finalized", 2)]
    assert answered(studio.at("GET", "/components")) == before
    changed = save(studio, 200, kind="card", name="Renamed")
    assert changed["id"] == card["id"]
    assert answered(studio.at("GET", "/components?revision=1")) == before
    assert answered(studio.at("GET", f"/components/{card['id']}?revision=1"))["name"] == "My Card"
    assert answered(studio.at("GET", f"/components/{card['id']}"))["name"] == "Renamed"


def test_deleting_a_component_touches_the_draft_alone(studio: Studio) -> None:
    made = save(studio)
    answered(finalize(studio, 1))
    assert studio.at("DELETE", f"/components/{made['id']}").status_code == 204
    assert revisions(studio) == [(2, "draft", 0), (1, "finalized", 1)]


def test_finalizing_twice_is_refused(studio: Studio) -> None:
    answered(finalize(studio, 1))
    assert "revision 2" in refused(finalize(studio, 1), 409, "REVISION_FINALIZED")
    answered(finalize(studio, 2))


@pytest.mark.parametrize("number", [2, 0, "-1", "one", "9" * 30])
def test_a_revision_that_is_not_there_is_not_found(studio: Studio, number: int | str) -> None:
    refused(finalize(studio, number), 404, "REVISION_NOT_FOUND")


def test_reading_a_revision_that_is_not_there(studio: Studio) -> None:
    assert answered(studio.at("GET", "/components?revision=1")) == {"components": []}
    refused(studio.at("GET", "/components?revision=7"), 404, "REVISION_NOT_FOUND")


def test_an_image_of_a_finalized_revision_stays(studio: Studio) -> None:
    frozen, loose = studio.upload(picture(seed=1)), studio.upload(picture(seed=2))
    save(studio, assets=[face(frozen)])
    answered(finalize(studio, 1))
    ids = {asset["key"]: asset["id"] for asset in studio.assets()}

    message = refused(studio.at("DELETE", f"/assets/{ids[frozen['key']]}"), 409, "REVISION_FINALIZED")

    assert "revision 1" in message
    assert studio.at("DELETE", f"/assets/{ids[loose['key']]}").status_code == 204
    save(studio, 200, assets=[face(studio.upload(picture(seed=3)))])
    refused(studio.at("DELETE", f"/assets/{ids[frozen['key']]}"), 409, "REVISION_FINALIZED")
    shown = answered(studio.at("GET", "/components?revision=1"))["components"][0]["payload"]["imageFaces"]
    assert shown["front"]["sourceUrl"] == frozen["publicUrl"]


def test_the_same_component_after_many_revisions(studio: Studio) -> None:
    made = save(studio)
    for number in range(1, 6):
        answered(finalize(studio, number))
        assert save(studio, 200, name=f"Name {number}")["id"] == made["id"]
    assert [number for number, *_ in revisions(studio)] == [6, 5, 4, 3, 2, 1]
    assert answered(studio.at("GET", f"/components/{made['id']}?revision=3"))["name"] == "Name 2"
    assert CARD["name"] == answered(studio.at("GET", f"/components/{made['id']}?revision=1"))["name"]
