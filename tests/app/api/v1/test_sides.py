"""Taking an image off a side, as the refusal to delete an image of a finalized revision advises."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.app.api.v1.calling import Studio, answered, refused
from tests.app.images.images import picture


def show(studio: Studio, image: dict[str, Any], side: str = "front") -> dict[str, Any]:
    """A component with the image on a side."""
    face = {
        "sideKey": side,
        "key": image["key"],
        "sourceUrl": image["publicUrl"],
        "contentType": "image/png",
        "widthPx": 75,
        "heightPx": 105,
    }
    made = studio.at("POST", "/components", json={"kind": "tile", "name": "A", "externalKey": "a", "assets": [face]})
    found: dict[str, Any] = answered(made, made.status_code)
    return found


def sides(studio: Studio, component: dict[str, Any]) -> list[str]:
    return list(answered(studio.at("GET", f"/components/{component['id']}"))["payload"]["imageFaces"])


def test_an_image_is_taken_off_and_the_advice_can_be_followed(studio: Studio) -> None:
    component = show(studio, studio.upload(picture()))
    answered(studio.at("POST", "/revisions/1/finalize"))
    (asset,) = studio.assets()
    message = refused(studio.at("DELETE", f"/assets/{asset['id']}"), 409, "REVISION_FINALIZED")
    assert "remove it from the components of the draft" in message
    assert studio.at("DELETE", f"/components/{component['id']}/sides/front").status_code == 204
    assert sides(studio, component) == []
    frozen = answered(studio.at("GET", f"/components/{component['id']}?revision=1"))
    assert list(frozen["payload"]["imageFaces"]) == ["front"], "the finalized revision keeps it"


def test_clearing_again_changes_nothing(studio: Studio) -> None:
    component = show(studio, studio.upload(picture()))
    path = f"/components/{component['id']}/sides/front"
    assert studio.at("DELETE", path).status_code == 204
    before = answered(studio.at("GET", f"/components/{component['id']}"))
    assert studio.at("DELETE", path).status_code == 204
    assert answered(studio.at("GET", f"/components/{component['id']}")) == before


@pytest.mark.parametrize("side", ["a/b", "/", "a//b", "two words", "été", "%41", ".."])
def test_a_side_may_have_any_name(studio: Studio, side: str) -> None:
    component = show(studio, studio.upload(picture()), side)
    assert studio.at("DELETE", f"/components/{component['id']}/sides/{quote(side, safe='')}").status_code == 204
    assert sides(studio, component) == []


def test_what_is_not_there_is_not_found(studio: Studio) -> None:
    refused(studio.at("DELETE", "/components/nowhere/sides/front"), 404, "COMPONENT_NOT_FOUND")
    component = show(studio, studio.upload(picture()))
    refused(studio.at("DELETE", f"/components/{component['id']}/sides/{'x' * 65}"), 400, "VALIDATION_ERROR")


def test_options_name_the_methods_of_their_own_path(studio: Studio) -> None:
    """`/assets/presign` is no asset, and `/components/batch` no component."""
    for path, methods in (("/assets/presign", {"OPTIONS", "POST"}), ("/components/batch", {"OPTIONS", "POST"})):
        assert set(studio.at("OPTIONS", path).headers["Allow"].split(", ")) == methods
        answer = studio.at("DELETE", path)
        refused(answer, 405, "METHOD_NOT_ALLOWED")
        assert set(answer.headers["Allow"].split(", ")) == methods


def test_refused_creations_do_not_use_up_the_ten(studio: Studio) -> None:
    for wrong in ({}, {"name": ""}, {"name": "x" * 257}, {"name": 5}):
        for _ in range(4):
            refused(studio.ask("POST", "/api/v1/games", json=wrong), 400, "VALIDATION_ERROR")
    big = b'{"name": "' + b"x" * 2**20 + b'"}'
    refused(studio.ask("POST", "/api/v1/games", data=big), 413, "PAYLOAD_TOO_LARGE")
    for left in reversed(range(10)):
        made = studio.ask("POST", "/api/v1/games", json={"name": "Paper Lanterns"})
        answered(made, 201)
        assert made.headers["X-RateLimit-Remaining"] == str(left)
    refused(studio.ask("POST", "/api/v1/games", json={"name": "x"}), 429, "RATE_LIMITED")


def test_a_replay_makes_no_game_and_costs_none(studio: Studio) -> None:
    once = {"Idempotency-Key": "once"}
    answers = [studio.ask("POST", "/api/v1/games", headers=once, json={"name": "x"}) for _ in range(15)]
    assert len({answered(answer, 201)["id"] for answer in answers}) == 1
    assert answers[-1].headers["X-RateLimit-Limit"] == "120"
    made = studio.ask("POST", "/api/v1/games", json={"name": "y"})
    assert made.headers["X-RateLimit-Remaining"] == "8"
