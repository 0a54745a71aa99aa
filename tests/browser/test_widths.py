"""Every page at every width, with the longest content that people give: no two texts overlap, and nothing is cut off
without a way to read the rest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import select, update

from app.data.database import writing
from app.data.models.game import Build, Game
from app.data.models.server import Server
from app.data.models.upload import RESUMABLE, Upload
from app.fleet.servers import add_server
from tests.app.web import asset_scenes, fleet_scenes, pack_scenes, scenes
from tests.app.web.conftest import ONE_DATABASE
from tests.browser.conftest import visit, with_fonts
from tests.chromium import ARGUMENTS, CHROMIUM
from tests.conftest import CAST, PASSWORD, Cast
from tests.live_server import LiveServer

pytestmark = [pytest.mark.browser, ONE_DATABASE]

LOOK = Path(__file__).with_name("layout_problems.js").read_text()
WIDTHS = (360, 480, 640, 768, 900, 1024, 1280, 1920)
# Boxes in which a table is scrolled sideways. A matrix has a column per server, the numbers of a chart one per unit.
SIDEWAYS = """() => {
  const boxes = new Set();
  for (const table of document.querySelectorAll("table:not(.matrix)")) {
    if (table.closest(".chart-numbers")) continue;
    for (let each = table; each; each = each.parentElement) boxes.add(each);
  }
  return [...boxes]
    .filter((each) => each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).overflowX !== "visible")
    .map((each) => `${each.className} scrolls sideways to ${each.scrollWidth} px`);
}"""
# A wide table of numbers must not widen its chart.
OPEN_NUMBERS = "for (const each of document.querySelectorAll('.chart-numbers')) each.open = true"
LONG = "The Extraordinarily Long Chronicle of the Lighthouse Keepers’ Grandchildren and Their Uncompromising Donkey"
UNBROKEN = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
GARDEN = "/games/garden-of-forking-paths"
PARTNER_PAGES = (
    "/games",
    GARDEN,
    f"{GARDEN}/builds",
    f"{GARDEN}/builds/5",
    f"{GARDEN}/builds/5/release",
    f"{GARDEN}/assets",
    f"{GARDEN}/components",
    f"{GARDEN}/details",
    f"{GARDEN}/activity",
    "/games/harbour-lights/builds/2/changes",
    "/servers",
    "/servers/srv-04",
    "/settings/partner",
    "/settings/members",
    "/settings/keys",
    "/settings/keys/new",
    "/settings/quota",
    "/settings/activity",
    "/settings/appearance",
    "/profile",
)
OPERATOR_PAGES = (
    "/operator/servers",
    "/operator/servers/srv-04",
    "/operator/attention?show=all",
    "/operator/partners",
    "/operator/partners/{partner}",
    "/operator/add-server",
    "/operator/capacity",
    "/operator/storage",
    "/operator/audit",
)


@pytest.fixture
def long_content(cast: Cast, six_servers: list[str]) -> None:
    """The catalog of the reference pictures with long names, 12 servers and long notes."""
    partner_id = cast.starlight.partner_id
    for number in range(7, 13):
        add_server(f"game-server-{number:02}-frankfurt", "eu-central-1", CAST)
    scenes.catalog(partner_id)
    pack_scenes.harbour_lights(partner_id)
    scenes.servers_report(silent=["srv-06"])
    fleet_scenes.machines()
    fleet_scenes.last_hour(partner_id)
    with writing() as session:
        garden_id = session.scalars(select(Game.id).where(Game.slug == "garden-of-forking-paths")).one()
        session.execute(update(Game).where(Game.id == garden_id).values(title=LONG, tags=[UNBROKEN[:50], "Mystery"]))
        session.execute(update(Game).where(Game.slug == "harbour-lights").values(title=UNBROKEN, developer=UNBROKEN))
        session.execute(
            update(Build)
            .where(Build.game_id == garden_id, Build.number == 5)
            .values(note=f"{LONG}. " * 3, version_label="2026.11.29-release-candidate-3+linux", sent_by=UNBROKEN)
        )
        for owner in ({"game_id": garden_id}, {"partner_id": partner_id}):
            session.add(
                Upload(
                    **owner,
                    kind=RESUMABLE,
                    object_key=f"archives/{min(owner)}",
                    file_name=f"{UNBROKEN}.tar.gz",
                    size=9_999_999_999,
                    sent_by=UNBROKEN,
                )
            )
        session.execute(update(Server).where(Server.id == "srv-01").values(region="southeast-asia-2"))
    asset_scenes.one_of_each(garden_id)
    fleet_scenes.months_of_transfers(garden_id)
    fleet_scenes.rollouts(garden_id, 210, 95, None, 1900, 340)


def sign_in(page: Page, email: str) -> None:
    page.goto("/sign-in")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.locator("h1").wait_for()
    page.wait_for_url(lambda address: "sign-in" not in address)


@pytest.mark.parametrize("who", ["partner", "operator"])
def test_texts_neither_overlap_nor_are_cut_off(page: Page, cast: Cast, long_content: None, who: str) -> None:
    sign_in(page, cast.starlight.owner if who == "partner" else cast.operator)
    found: list[str] = []
    for path in PARTNER_PAGES if who == "partner" else OPERATOR_PAGES:
        page.goto(path.format(partner=cast.starlight.partner_id))
        with_fonts(page)
        page.evaluate(OPEN_NUMBERS)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            problems = [*page.evaluate(LOOK), *page.evaluate(SIDEWAYS)]
            found += [f"{path} at {width} px: {problem}" for problem in problems]
    assert not found, "\n".join(found)


@pytest.fixture
def large_text_page(chromium: Browser, site: LiveServer, complaints: list[str]) -> Iterator[Page]:
    """A browser whose reader has set the text to twice its size."""
    flags = [*ARGUMENTS, "--blink-settings=defaultFontSize=32"]
    browser = chromium.browser_type.launch(executable_path=str(CHROMIUM), args=flags)
    yield visit(browser, site.url, complaints).new_page()
    browser.close()


def test_text_of_twice_the_size_neither_overlaps_nor_is_cut_off(
    large_text_page: Page, cast: Cast, long_content: None
) -> None:
    page = large_text_page
    sign_in(page, cast.starlight.owner)
    found: list[str] = []
    for path in ("/games", GARDEN, f"{GARDEN}/assets", "/servers", "/settings/members", "/settings/keys"):
        page.goto(path)
        with_fonts(page)
        assert page.evaluate("getComputedStyle(document.body).fontSize") == "28px"
        for width in (768, 1280, 1920):
            page.set_viewport_size({"width": width, "height": 900})
            found += [f"{path} at {width} px: {problem}" for problem in page.evaluate(LOOK)]
    assert not found, "\n".join(found)


def test_rows_of_builds_are_one_line(page: Page, cast: Cast, long_content: None) -> None:
    sign_in(page, cast.starlight.owner)
    page.goto(f"{GARDEN}/builds")
    with_fonts(page)
    for width in (768, 1024, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        heights = page.locator(".builds tbody tr").evaluate_all("rows => rows.map((row) => row.offsetHeight)")
        assert len(heights) == 5
        assert max(heights) <= 40, (width, heights)
    note = page.locator("#b5 .state .cut").last
    assert note.get_attribute("title") == (f"{LONG}. " * 3)
    assert page.locator("#b5 .sender .cut").get_attribute("title") == UNBROKEN
