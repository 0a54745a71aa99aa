"""Copy buttons beside what people copy: slugs, ids, checksums and commands."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import pytest
from sqlalchemy import select

from app.data.extensions import db
from app.data.models.asset import Asset
from app.data.models.game import Build
from app.data.models.partner import ApiKey, App
from tests.app.web import asset_scenes, scenes
from tests.app.web.conftest import ONE_DATABASE, Visitor
from tests.app.web.scenes import Sent
from tests.conftest import Cast

pytestmark = ONE_DATABASE


def copied(page: str) -> dict[str, str]:
    """The name of each copy button beside a value -> the value."""
    found = re.findall(
        r'<span class="copyable"><code>([^<]*)</code><button type="button" class="copy scripted-only" '
        r'title="([^"]+)"><svg.*?</svg><span class="label vh">Copy</span><span class="vh">([^<]+)</span></button>',
        page,
        re.DOTALL,
    )
    for _, title, words in found:
        assert title == f"Copy{words}"
    return {html.unescape(title): html.unescape(value) for value, title, _ in found}


@pytest.fixture
def game_id(cast: Cast) -> str:
    return scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns", [Sent()])


def test_slug_and_id_of_a_game(owner: Visitor, viewer: Visitor, game_id: str) -> None:
    for visitor in (owner, viewer):
        page = visitor.get("/games/paper-lanterns/details").text
        assert copied(page) == {"Copy the slug": "paper-lanterns", "Copy the id of the game": game_id}


def test_checksum_and_commands_of_a_build(owner: Visitor, game_id: str) -> None:
    build = db.session.scalars(select(Build).where(Build.game_id == game_id)).one()
    page = owner.get("/games/paper-lanterns/builds/1").text
    assert copied(page) == {"Copy the launcher": build.launcher, "Copy the SHA-256": build.sha256}
    command = re.search(r'aria-label="Commands that unpack and start build 1">(.*?)</pre>', page, re.DOTALL)
    assert command
    assert html.unescape(command[1]).splitlines() == [
        "tar xzf paper-lanterns-1.tar.gz",
        f"cd {build.top_directory} && ./{build.launcher}",
    ]


def test_ids_of_an_image_and_a_component(owner: Visitor, game_id: str) -> None:
    asset_scenes.one_of_each(game_id)
    asset_id = db.session.scalars(select(Asset.id).where(Asset.game_id == game_id)).first()
    page = owner.get(f"/games/paper-lanterns/assets/{asset_id}").text
    assert copied(page) == {"Copy the id of the image": asset_id}
    component_id = asset_scenes.add_component(game_id, "tile", "Marsh", "tile-marsh")
    page = owner.get(f"/games/paper-lanterns/components/{component_id}").text
    assert copied(page) == {"Copy the external key": "tile-marsh"}


def test_ids_of_partner_app_and_key(cast: Cast, owner: Visitor, signed_in: Callable[[str], Visitor]) -> None:
    partner_id = cast.starlight.partner_id
    assert copied(owner.get("/settings/partner").text) == {"Copy the id of the partner": partner_id}
    page = owner.get("/settings/keys").text
    app = db.session.scalars(select(App).where(App.partner_id == partner_id, App.name == "CI")).one()
    key = db.session.scalars(select(ApiKey).where(ApiKey.app_id == app.id)).one()
    assert copied(page)["Copy the id of the app CI"] == app.id
    assert copied(page)[f"Copy the id of the key {key.hint}"] == key.id
    operator = signed_in(cast.operator)
    page = operator.get(f"/operator/partners/{partner_id}").text
    assert copied(page) == {"Copy the id of the partner": partner_id}


def test_id_of_a_server(cast: Cast, signed_in: Callable[[str], Visitor]) -> None:
    page = signed_in(cast.operator).get("/operator/servers/srv-01").text
    assert copied(page) == {"Copy the id of the server": "srv-01"}
