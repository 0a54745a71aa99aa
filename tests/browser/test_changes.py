"""What changed in a build, in a real browser: loaded on the build's page, filtered, on a phone, without scripts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select, update

from app.data.database import free_connection, writing
from app.data.models.base import now
from app.data.models.game import Build
from app.data.models.pack import BuildPack
from tests.app.web import pack_scenes
from tests.app.web.conftest import ONE_DATABASE
from tests.browser.test_axe import findings
from tests.conftest import PASSWORD, Cast
from tests.live_server import LiveServer

pytestmark = [pytest.mark.browser, ONE_DATABASE]

BUILD = "/games/harbour-lights/builds/2"


@pytest.fixture
def harbour(cast: Cast) -> None:
    pack_scenes.harbour_lights(cast.starlight.partner_id)


def test_the_largest_changes_are_loaded_and_lead_to_all(
    sign_in: Callable[[str], Page], cast: Cast, harbour: None, complaints: list[str]
) -> None:
    page = sign_in(cast.starlight.owner)
    page.goto(BUILD)
    table = page.get_by_role("table", name="Files that differ from build 1")
    expect(table.get_by_role("row")).to_have_count(9)
    page.get_by_role("link", name="Show all changes").click()
    expect(page.get_by_role("heading", name="Changes in build 2 since build 1")).to_be_visible()
    expect(table.get_by_role("row")).to_have_count(201)
    assert findings(page) == []

    page.get_by_role("link", name="Removed 30").click()
    expect(table.get_by_role("row")).to_have_count(31)
    page.get_by_role("searchbox").fill("LAMP 00")
    page.keyboard.press("Enter")
    expect(table.get_by_role("row")).to_have_count(11)
    assert "kind=removed" in page.url, "the filters add up"

    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert complaints == []


def test_a_list_of_files_that_is_being_made_appears_by_itself(
    sign_in: Callable[[str], Page], cast: Cast, harbour: None, complaints: list[str]
) -> None:
    page = sign_in(cast.starlight.owner)
    waiting = page.get_by_text("The list of files of build 2 is being made")
    table = page.get_by_role("table", name="Files that differ from build 1")
    for address, files in ((f"{BUILD}/changes?kind=removed", 30), (BUILD, 8)):
        set_state("making")
        page.goto(address)
        expect(waiting).to_be_visible()
        set_state("ready")
        expect(table.get_by_role("row")).to_have_count(files + 1)
        expect(waiting).to_have_count(0)
    assert complaints == []


def set_state(state: str) -> None:
    """Of the pack of build 2. A worker that lives makes it."""
    claim = {"state": state, "maker": "a worker", "touched_at": now() + timedelta(hours=1)}
    with writing() as session:
        second = select(Build.id).where(Build.number == 2)
        session.execute(update(BuildPack).where(BuildPack.build_id.in_(second)).values(**claim))
    free_connection()


def test_without_a_script_everything_is_a_link_or_a_form(
    chromium: Browser, site: LiveServer, cast: Cast, harbour: None
) -> None:
    context = chromium.new_context(base_url=site.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/sign-in")
    page.get_by_label("Email").fill(cast.starlight.owner)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.goto(BUILD)
    page.get_by_role("link", name="Show the changes").click()
    page.get_by_role("searchbox").fill("script")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("table").get_by_role("row")).to_have_count(2)
    context.close()
