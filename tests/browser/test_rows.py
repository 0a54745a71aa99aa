"""Rows of tables: one with a page of its own opens it wherever it is pressed, and only such a row lights up."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.app.web import fleet_scenes, scenes
from tests.app.web.conftest import ONE_DATABASE
from tests.browser.conftest import enter_through_form, with_fonts
from tests.browser.test_axe import findings
from tests.conftest import Cast
from tests.live_server import LiveServer

pytestmark = [pytest.mark.browser, ONE_DATABASE]

GARDEN = "/games/garden-of-forking-paths"
PARTNER_PAGES = (
    "/games",
    GARDEN,
    f"{GARDEN}/builds",
    f"{GARDEN}/activity",
    f"{GARDEN}/builds/4/servers/srv-04",
    f"{GARDEN}/builds/5/release",
    "/servers",
    "/servers/srv-04",
    "/settings/members",
    "/settings/keys",
)
OPERATOR_PAGES = (
    "/operator/servers?server=srv-04",
    "/operator/servers/srv-04",
    "/operator/attention?show=all",
    "/operator/partners",
    "/operator/storage",
    "/operator/audit",
)
# What would not be pressed as it should: the middle of a cell that belongs neither to the row's link nor to a control
# or a tooltip of the row, and the middle of a time without its tooltip, also in the matrix. And rows that are wider
# than their panel.
BARE_POINTS = """() => {
    const bare = [];
    const at = (part) => {
        const box = part.getClientRects()[0] ?? part.getBoundingClientRect();
        if (box.width < 2 || box.height < 2) return part;
        return document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
    };
    for (const row of document.querySelectorAll(".table tr:has(.row-link)")) {
        row.scrollIntoView({block: "center"});
        const panel = row.closest(".panel");
        if (panel.scrollWidth > panel.clientWidth) bare.push(`${row.id}: wider than its panel`);
        for (const cell of row.querySelectorAll("td, th")) {
            const own = at(cell)?.closest(".row-link, a, button, label, [title], td, th");
            if (own !== cell.closest("td, th") && row.contains(own)) continue;
            if (cell.getBoundingClientRect().width >= 2) bare.push(`${row.id}: ${cell.className}`);
        }
        for (const time of row.querySelectorAll("time")) {
            if (at(time) !== time) bare.push(`${row.id}: the tooltip of ${time.textContent}`);
        }
    }
    for (const time of document.querySelectorAll(".matrix .cell time")) {
        time.scrollIntoView({block: "center", inline: "center"});
        if (time.checkVisibility() && at(time) !== time) bare.push(`the tooltip of ${time.textContent} in the matrix`);
    }
    return bare;
}"""


@pytest.fixture
def fleet(cast: Cast, six_servers: list[str]) -> None:
    scenes.catalog(cast.starlight.partner_id)
    fleet_scenes.machines()
    scenes.servers_report(silent=["srv-06"])


def lit(page: Page, row: str) -> bool:
    """Whether the first such row looks different under the pointer."""
    ground = "row => getComputedStyle(row).backgroundColor"
    found = page.locator(row).first
    page.mouse.move(0, 0)
    before = found.evaluate(ground)
    found.hover(position={"x": 4, "y": 4}, force=True)
    return bool(found.evaluate(ground) != before)


@pytest.mark.parametrize("who", ["partner", "operator"])
def test_every_row_with_a_page_is_its_link_and_no_other_row_lights_up(
    page: Page, cast: Cast, fleet: None, who: str
) -> None:
    email, paths = (cast.starlight.owner, PARTNER_PAGES) if who == "partner" else (cast.operator, OPERATOR_PAGES)
    enter_through_form(page, email, paths[0])
    seen: list[str] = []
    for path in paths:
        page.goto(path)
        with_fonts(page)
        for row, opens in ((".table tbody tr:has(.row-link)", True), (".table tbody tr:not(:has(.row-link))", False)):
            if page.locator(row).count():
                assert lit(page, row) is opens, f"{row} of {path}"
                seen.append(row)
        for width in (360, 768, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate(BARE_POINTS) == [], f"{path} at {width} px"
    assert len(set(seen)) == 2


def test_a_build_opens_from_its_whole_row_and_its_controls_do_their_own_thing(
    page: Page, context: BrowserContext, cast: Cast, fleet: None, complaints: list[str]
) -> None:
    enter_through_form(page, cast.starlight.owner, GARDEN)
    row = page.locator("#b3")
    link = row.get_by_role("link", name="Build 3", exact=True)
    build = f"**{GARDEN}/builds/3"

    # In the middle of an empty place, on a number, and on a time, which keeps its tooltip.
    for place in (row.locator("td.update"), row.locator("td.size"), row.locator("time")):
        place.click(force=True)  # the link covers it
        page.wait_for_url(build)
        page.go_back()
        page.wait_for_url(f"**{GARDEN}")
    assert row.locator("time").get_attribute("title")

    # A text that was selected is not a press.
    page.evaluate("getSelection().selectAllChildren(document.querySelector('#b3 time'))")
    row.locator("time").dispatch_event("click")
    assert page.url.endswith(GARDEN)
    page.evaluate("getSelection().empty()")

    # Another tab: with Ctrl, and with the middle button.
    for place in (row.locator("td.size"), row.locator("time")):
        for keys in ({"modifiers": ["Control"]}, {"button": "middle"}):
            with context.expect_page() as opened:
                place.click(force=True, **keys)
            opened.value.wait_for_url(build)
            opened.value.close()
    assert page.url.endswith(GARDEN)

    # Its own button asks, and the keyboard reaches the row through its title.
    row.get_by_role("link", name="Roll back to build 3").click()
    expect(page.get_by_role("dialog", name="Roll back to build 3")).to_be_visible()
    page.keyboard.press("Escape")
    link.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    expect(link).to_be_focused()
    assert row.evaluate("row => getComputedStyle(row).boxShadow") != "none"
    assert findings(page) == []
    page.keyboard.press("Enter")
    page.wait_for_url(build)
    assert complaints == []


def test_operators_rows_open_and_their_boxes_and_marks_do_their_own_thing(
    page: Page, cast: Cast, fleet: None, complaints: list[str]
) -> None:
    enter_through_form(page, cast.operator, "/operator/attention?show=all")
    row = page.locator("#attention-srv-02 tr")
    box = row.get_by_role("checkbox")
    row.locator(".choose").click(position={"x": 3, "y": 3}, force=True)
    expect(box).to_be_checked()
    row.locator(".disk").click(force=True)
    page.wait_for_url("**/operator/servers/srv-02")
    held = page.locator(".held tbody tr").first
    held.locator(".on-disk").click(force=True)
    expect(page.get_by_role("heading", name="Attempts")).to_be_visible()

    page.goto("/operator/servers")
    page.locator("#server-srv-03 .reported").click(force=True)
    expect(page.locator("#opened-title")).to_have_text("srv-03")
    page.get_by_role("link", name="Page of srv-05").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("srv-05")

    page.goto("/operator/partners")
    page.locator(".partners tbody tr", has_text="Starlight Studio").locator(".games").click(force=True)
    expect(page.get_by_role("heading", level=1)).to_have_text("Starlight Studio")
    assert complaints == []


def test_a_row_opens_without_a_script(chromium: Browser, site: LiveServer, cast: Cast, fleet: None) -> None:
    context = chromium.new_context(base_url=site.url, java_script_enabled=False)
    page = enter_through_form(context.new_page(), cast.starlight.owner, "/games")
    page.locator("#game-paper-lanterns .status-column").click(force=True)
    page.wait_for_url("**/games/paper-lanterns")
    page.locator("#b1 .size").click(force=True)
    page.wait_for_url("**/games/paper-lanterns/builds/1")
    context.close()
