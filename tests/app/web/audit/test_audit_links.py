"""Where the entries of the audit log lead."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete

from app.accounts.audit_log import record
from app.accounts.keys import create_app, create_key, revoke_key
from app.accounts.members import change_role, invite, remove_member, withdraw
from app.accounts.partners import create_member, rename_partner, set_build_quota
from app.catalog.games import delete_game
from app.catalog.releasing import make_release
from app.components.image_deletion import delete_asset
from app.components.sides import put_on_side
from app.data.database import writing
from app.data.extensions import db
from app.data.models.game import Build, Game
from app.data.models.partner import Partner
from app.fleet.servers import pause_server, retire_server
from tests.app.fleet.counting import statements
from tests.app.web import asset_scenes, scenes
from tests.app.web.conftest import ONE_DATABASE, Visitor
from tests.app.web.reading import afresh, plain
from tests.conftest import CAST, PASSWORD, Cast

pytestmark = ONE_DATABASE

PAGE, AUDIT, GAME = "/settings/activity", "/operator/audit", "/games/low-tide"


@pytest.fixture
def partner(cast: Cast) -> Partner:
    return db.session.get_one(Partner, cast.starlight.partner_id)


@pytest.fixture
def game(partner: Partner) -> Game:
    """Build 2 is live, build 1 was live before, and build 3 was never."""
    builds = [scenes.Sent(released=None) for _ in range(3)]
    game = db.session.get_one(Game, scenes.add_game(partner.id, "Low Tide", "low-tide", builds))
    make_release(game, 1, CAST)
    make_release(game, 2, CAST)
    return game


def links(visitor: Visitor, path: str = PAGE) -> dict[str, str]:
    """What each entry says -> where its subject leads, or ""."""
    cells = re.findall(r'<td role="cell" class="what">(.*?)</td>', visitor.get(path).text, re.DOTALL)
    found = {}
    for cell in cells:
        url = re.search(r'<a href="([^"]+)"', cell)
        said = plain(re.sub(r'<span class="second">.*', "", cell, flags=re.DOTALL)).strip()
        found[said] = html.unescape(url[1]) if url else ""
    return found


def follow(visitor: Visitor, found: dict[str, str]) -> None:
    """Every link leads to a page, and to the row that it names."""
    for url in filter(None, found.values()):
        path, _, anchor = url.partition("#")
        page = visitor.get(path)
        assert page.status_code == 200, url
        assert not anchor or f'id="{anchor}"' in page.text, url


def test_entries_about_games_lead_to_what_they_name(owner: Visitor, viewer: Visitor, game: Game) -> None:
    game_id = game.id
    image = asset_scenes.add_image(game_id, "back.png", asset_scenes.back())
    gone = asset_scenes.add_image(game.id, "old.png", asset_scenes.token())
    component = asset_scenes.add_component(game.id, "tile", "Ember", "ember")
    put_on_side(game, component, "front", image, CAST)
    delete_asset(game, gone, CAST)
    with writing() as session:
        more: dict[str, Any] = {"game": session.get_one(Game, game.id)}
        for action, subject in (
            ("game.updated", "Low Tide"),
            ("game.cover_picked", "Low Tide"),
            ("build.refused", "Low Tide"),
            ("build.retried", "Low Tide, build 1 on srv-01"),
            ("build.noted", "Low Tide, build 3"),
            ("upload.cancelled", "Low Tide, tide.tar.gz"),
            ("revision.finalized", "Low Tide, revision 1"),
        ):
            record(session, CAST, action, subject, **more)
        session.execute(delete(Build).where(Build.game_id == game.id, Build.number == 3))
    expected = {
        "Released Low Tide, build 1": f"{GAME}/builds/1",
        "Released Low Tide, build 2": f"{GAME}/builds/2",
        "Added the image back.png": f"{GAME}/assets/{image}",
        "Added the image old.png": "",
        "Deleted the image old.png": "",
        "Saved components of Low Tide": f"{GAME}/components",
        "Changed a side of Ember": f"{GAME}/components/{component}",
        "Changed Low Tide": f"{GAME}/details",
        "Set the cover of Low Tide": f"{GAME}/details#pictures",
        "Rejected Low Tide": f"{GAME}/builds",
        "Retried Low Tide, build 1 on srv-01": f"{GAME}/builds/1",
        "Changed the note of Low Tide, build 3": "",
        "Cancelled an upload of Low Tide, tide.tar.gz": GAME,
        "Finalized Low Tide, revision 1": f"{GAME}/revisions",
    }
    for path in (f"{PAGE}?game=low-tide", f"{GAME}/activity"):
        found = links(owner, path)
        assert found == expected, path
        assert links(viewer, path) == found
    follow(owner, expected)
    afresh()
    delete_game(asset_scenes.game_of(game_id), CAST)
    assert set(links(owner, f"{PAGE}?q=tide").values()) == {""}


def test_entries_about_people_and_keys_lead_to_their_rows(owner: Visitor, viewer: Visitor, partner: Partner) -> None:
    noor = create_member(partner, "noor@starlight.test", "Noor", "viewer", PASSWORD, CAST)
    change_role(partner, noor.id, "developer", CAST)
    lena = create_member(partner, "lena@starlight.test", "Lena", "viewer", PASSWORD, CAST)
    remove_member(partner, lena.id, CAST)
    invited, _ = invite(partner, "jun@starlight.test", "viewer", CAST)
    withdrawn, _ = invite(partner, "kai@starlight.test", "viewer", CAST)
    withdraw(partner, withdrawn.id, CAST)
    key, _ = create_key(partner, "CI", ["upload"], CAST)
    old, _ = create_key(partner, "CI", ["upload"], CAST)
    revoke_key(old, CAST)
    app = create_app(partner, "Studio", "", CAST)
    rename_partner(partner, "Starlight Games", CAST)
    set_build_quota(partner, 10**12, CAST)
    found = links(owner)
    expected = {
        "Added Noor (viewer)": f"/settings/members?q=noor@starlight.test#{noor.id}",
        "Changed the role of Noor (developer)": f"/settings/members?q=noor@starlight.test#{noor.id}",
        "Added Lena (viewer)": "",
        "Removed Lena": "",
        "Invited jun@starlight.test (viewer)": f"/settings/members?q=jun@starlight.test#{invited.id}",
        "Invited kai@starlight.test (viewer)": "",
        "Withdrew the invitation of kai@starlight.test": "",
        f"Created a key CI · {key.hint}": f"/settings/keys#{key.id}",
        f"Created a key CI · {old.hint}": "",
        f"Revoked a key CI · {old.hint}": "",
        "Added an app Studio": f"/settings/keys#{app.id}",
        "Renamed the partner Starlight Games": "/settings/partner",
        "Set the quota of Starlight Games": "/settings/quota",
    }
    assert {what: url for what, url in found.items() if what in expected} == expected
    assert links(viewer) == found
    follow(viewer, expected)


def test_operators_are_led_to_servers_and_partners_and_to_no_game(
    cast: Cast, signed_in: Callable[[str], Visitor], game: Game, partner: Partner
) -> None:
    operator = signed_in(cast.operator)
    pause_server("srv-01", True, CAST)
    retire_server("srv-03", CAST)
    noor = create_member(partner, "noor@starlight.test", "Noor", "viewer", PASSWORD, CAST)
    found = links(operator, AUDIT)
    expected = {
        "Paused downloads of srv-01": "/operator/servers/srv-01",
        "Retired the server srv-03": "",
        "Released Low Tide, build 2": "",
        "Created the partner Starlight Studio": f"/operator/partners/{partner.id}",
        "Added Noor (viewer)": f"/operator/partners/{noor.partner_id}#members-title",
    }
    assert {what: url for what, url in found.items() if what in expected} == expected
    follow(operator, found)


def test_links_of_a_page_cost_the_same_for_many_entries(owner: Visitor, game: Game, cast: Cast) -> None:
    def fill(number: int) -> None:
        partner = db.session.get_one(Partner, cast.starlight.partner_id)
        asset_scenes.add_image(game_id, f"{number}.png", asset_scenes.token(), made=False)
        create_key(partner, "CI", ["upload"], CAST)
        invite(partner, f"p{number}@starlight.test", "viewer", CAST)
        make_release(asset_scenes.game_of(game_id), 1 + number % 2, CAST)

    def queries() -> int:
        afresh()
        with statements() as sent:
            assert owner.get(PAGE).status_code == 200
        return sent.queries

    game_id = game.id
    fill(0)
    few = queries()
    for number in range(1, 6):
        fill(number)
    assert queries() == few <= 14
