"""The pages of servers in a real browser: live, by keyboard, without a script, under the policy."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Literal

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from app.accounts.partners import create_member, create_partner
from app.fleet.servers import retire_server
from app.limits import thread_budgets
from tests.app.fleet.acting import FleetAgent
from tests.app.runtime.processes import wait_until
from tests.app.web import fleet_scenes, scenes
from tests.app.web.conftest import ONE_DATABASE
from tests.browser.conftest import enter_through_form, wait_for_announcement, with_fonts
from tests.browser.test_axe import LOOKS, findings
from tests.conftest import CAST, PASSWORD, Cast
from tests.live_server import LiveServer

pytestmark = [pytest.mark.browser, ONE_DATABASE]

OPERATOR_PAGES = [
    "/operator/servers",
    "/operator/servers?server=srv-02",
    "/operator/servers/srv-04",
    "/operator/servers/srv-04/token",
    "/operator/servers/srv-04/retirement",
    "/operator/add-server",
    "/operator/partners",
    "/operator/partners/new",
    "/operator/capacity",
    "/operator/storage",
    "/operator/audit",
]


@pytest.fixture
def fleet(cast: Cast, six_servers: list[str]) -> str:
    """The garden with one server in each state; its id."""
    game_id = scenes.forking_paths(cast.starlight.partner_id)
    fleet_scenes.machines()
    fleet_scenes.last_hour(cast.starlight.partner_id)
    scenes.servers_report(silent=["srv-06"])
    return game_id


@pytest.fixture
def enter(page: Page) -> Callable[[str, str], Page]:
    """`enter(email, path)`: the page at `path`, signed in, with its stream open."""

    return partial(enter_through_form, page)


Enter = Callable[[str, str], Page]


def live(page: Page) -> Page:
    """The page, once its stream is open."""
    wait_until(lambda: thread_budgets.streams.in_use, 20, "the page's stream is open")
    expect(page.locator("#freshness")).to_have_attribute("data-state", "live")
    return page


def order(page: Page) -> list[str]:
    rows = page.locator("#servers-table tbody")
    return [str(row).removeprefix("server-") for row in rows.evaluate_all("rows => rows.map(row => row.id)")]


def test_a_partner_sees_builds_arrive_and_servers_come_back(
    enter: Enter, cast: Cast, fleet: str, complaints: list[str]
) -> None:
    page = live(enter(cast.starlight.owner, "/servers"))
    expect(page).to_have_title("(1 failed) Servers · Slipway")
    expect(page.locator("#servers-banner")).to_contain_text("No contact with srv-06 since")
    row = page.locator("#server-srv-02")
    expect(row).to_contain_text("Downloading 62\u00a0%")
    scenes.change(fleet, 4, "srv-02", phase="cached", bytes_done=7_200_000_000)
    scenes.change(fleet, 4, "srv-04", phase="cached", bytes_done=7_200_000_000)
    fleet_scenes.noticed(cast.starlight.partner_id)
    expect(row).to_contain_text("Up to date")
    expect(page).to_have_title("(1 no contact) Servers · Slipway")
    scenes.servers_report()
    fleet_scenes.noticed(cast.starlight.partner_id)
    expect(page.locator("#servers-banner")).to_have_text("")
    expect(page.locator("#servers-head")).to_contain_text("5 up to date or arriving")
    assert complaints == []


def test_a_failure_is_said_once_and_leads_to_the_page_of_its_server(enter: Enter, cast: Cast, fleet: str) -> None:
    page = live(enter(cast.starlight.owner, "/servers"))
    scenes.change(fleet, 4, "srv-02", phase="failed", attempt=9, reason="disk full: 954 MiB free")
    fleet_scenes.noticed(cast.starlight.partner_id)
    wait_for_announcement(page, "srv-02: Failed: disk full")
    banner = page.locator("#servers-banner")
    expect(banner).to_contain_text("srv-02: The Garden of Forking Paths, build 4: disk full", use_inner_text=True)

    # Its row leads to its page, which is live as well.
    page.locator("#server-srv-02 td.cached").click(force=True)
    page.wait_for_url("**/servers/srv-02")
    live(page)
    expect(page.locator("#server-state")).to_contain_text("Failed: disk full")
    expect(page.locator("#server-builds")).to_contain_text("954 MiB free")
    scenes.change(fleet, 4, "srv-02", phase="cached", reason=None)
    fleet_scenes.noticed(cast.starlight.partner_id)
    expect(page.locator("#server-state")).to_contain_text("Up to date")
    expect(page.locator("#server-facts")).to_contain_text("1 of 1")
    page.locator("#server-builds tbody tr").first.click(position={"x": 4, "y": 4})
    expect(page.get_by_role("heading", level=1)).to_have_text("Build 4 on srv-02")


def test_rows_keep_their_places_while_the_pointer_is_among_them(
    enter: Enter, cast: Cast, fleet: str, complaints: list[str]
) -> None:
    page = live(enter(cast.operator, "/operator/servers"))
    before = ["srv-04", "srv-06", "srv-05", "srv-01", "srv-02", "srv-03"]
    assert order(page) == before
    page.locator("#server-srv-03").hover()
    scenes.change(fleet, 4, "srv-03", phase="failed", attempt=9, reason="disk full: 954 MiB free")
    fleet_scenes.noticed()
    expect(page.locator("#server-srv-03")).to_contain_text("Disk full since")
    assert order(page) == before
    page.locator("h1").hover()
    expect(page.locator("#servers-table tbody").first).to_have_id("server-srv-03")
    assert order(page) == ["srv-03", *(server for server in before if server != "srv-03")]
    # Without a pointer it moves at once.
    scenes.change(fleet, 4, "srv-03", phase="cached", reason=None)
    fleet_scenes.noticed()
    expect(page.locator("#servers-table tbody").first).to_have_id("server-srv-04")
    assert complaints == []


def test_a_link_with_the_focus_keeps_it_and_its_place(enter: Enter, cast: Cast, fleet: str) -> None:
    page = live(enter(cast.operator, "/operator/servers"))
    link = page.get_by_role("link", name="srv-05", exact=True)
    link.focus()
    scenes.change(fleet, 4, "srv-05", phase="cached", reason=None)
    fleet_scenes.noticed()
    expect(page.locator("#server-srv-05")).to_contain_text("Healthy")
    expect(link).to_be_focused()
    assert order(page)[2] == "srv-05"
    link.evaluate("link => link.blur()")
    expect(page.locator("#servers-table tbody").nth(2)).not_to_have_id("server-srv-05")


def test_an_operator_pauses_resumes_and_retires(enter: Enter, cast: Cast, fleet: str, complaints: list[str]) -> None:
    page = live(enter(cast.operator, "/operator/servers?server=srv-03"))
    page.get_by_role("button", name="Pause downloads").click()
    expect(page.locator(".toast")).to_contain_text("Downloads of srv-03 are paused")
    expect(page).to_have_url(re.compile(r"/operator/servers\?server=srv-03$"))
    expect(page.locator("#opened-builds")).to_contain_text("Downloads are paused since")
    live(page)
    page.get_by_role("button", name="Resume downloads").click()
    expect(page.locator(".toast")).to_contain_text("Downloads of srv-03 are resumed")
    page.get_by_role("link", name="Retire server").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Retire srv-03?")
    page.get_by_role("button", name="Retire server").click()
    expect(page.locator(".toast")).to_contain_text("srv-03 is retired")
    expect(page.locator("#server-srv-03")).to_have_count(0)

    # What needs attention beside the servers announces nothing, and is counted within seconds.
    count = live(page).locator("#attention-link .count")
    expect(count).to_have_text("3")
    partner = create_partner("Nobody’s Games", CAST)
    expect(count).to_have_text("4")
    create_member(partner, "nobody@example.com", "Nobody", "owner", PASSWORD, CAST)
    expect(count).to_have_text("3")
    assert complaints == []


def test_a_server_that_another_operator_retires_says_so(enter: Enter, cast: Cast, fleet: str) -> None:
    page = live(enter(cast.operator, "/operator/servers/srv-02"))
    retire_server("srv-02", CAST)
    expect(page.get_by_role("heading", level=1)).to_have_text("No page at this address")


def test_a_server_is_added_its_command_copied_and_its_first_report_seen(
    app: Flask, enter: Enter, cast: Cast, six_servers: list[str], complaints: list[str]
) -> None:
    page = enter(cast.operator, "/operator/servers")
    page.get_by_role("link", name="Add a server").click()
    expect(page.get_by_label("Id")).to_be_focused()
    page.get_by_label("Id").fill("srv-01")
    page.get_by_label("Your password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("#summary")).to_be_focused()
    expect(page.get_by_label("Id")).to_have_value("srv-01")
    page.get_by_label("Id").fill("srv-07")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Add the server").click()
    expect(page.get_by_role("heading", name="srv-07 is added")).to_be_visible()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator(".shown-once").get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    token = re.search(r"<<< '(srv_[\w-]{40,})' &&\necho SLIPWAY_URL=http://127\.0\.0\.1:\d+ > ", copied)
    assert token
    expect(page.locator("#first-report")).to_contain_text("No report yet.")
    FleetAgent(app.test_client(), token[1]).report(agentVersion="1.4.2")
    expect(page.locator("#first-report")).to_contain_text("srv-07 reports. Its agent has version 1.4.2.")
    expect(page.get_by_text("If no report arrives")).to_have_count(0)
    page.get_by_role("link", name="Open the page of srv-07").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("srv-07")
    page.go_back()
    expect(page.locator("body")).not_to_contain_text("<<< 'srv_")
    assert complaints == []


def test_everything_is_done_without_a_script(chromium: Browser, site: LiveServer, cast: Cast, fleet: str) -> None:
    context = chromium.new_context(base_url=site.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/operator/servers?server=srv-04")
    page.get_by_label("Email").fill(cast.operator)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Retry now").click()
    expect(page.locator(".toast")).to_contain_text("srv-04 retries 1 build now")
    assert scenes.retries_asked(fleet) == 1
    page.get_by_role("button", name="Pause downloads").click()
    expect(page.locator("#opened-builds")).to_contain_text("Downloads are paused since")
    page.get_by_role("link", name="Partners").click()
    page.get_by_role("link", name="Starlight Studio").click()
    page.get_by_label("Quota for builds, in GiB").fill("250")
    page.get_by_role("button", name="Set quota").click()
    expect(page.locator(".toast")).to_contain_text("can store 250")
    page.get_by_role("link", name="Storage").click()
    page.get_by_role("button", name="Check now").click()
    expect(page.get_by_role("button", name="Check again")).to_be_visible()
    page.get_by_role("link", name="Audit").click()
    page.get_by_role("combobox", name="Partner").select_option("Starlight Studio")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator(".audit")).to_contain_text("Set the quota of")
    context.close()


@LOOKS
def test_axe_finds_nothing(
    enter: Enter,
    page: Page,
    cast: Cast,
    fleet: str,
    theme: Literal["light", "dark"],
    width: int,
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=theme)
    enter(cast.starlight.owner, "/servers")
    found = {"/servers": findings(page)}
    page.context.clear_cookies()
    enter(cast.operator, "/operator/servers")
    for path in (*OPERATOR_PAGES, f"/operator/partners/{cast.starlight.partner_id}"):
        page.goto(path)
        found[path] = findings(page)
    page.goto("/operator/storage")
    page.get_by_role("button", name="Check now").click()
    page.get_by_role("button", name="Check again").wait_for()
    found["a check"] = findings(page)
    page.goto("/operator/add-server")
    page.get_by_role("button", name="Add the server").click()
    page.locator("#summary").wait_for()
    found["adding, refused"] = findings(page)
    page.get_by_label("Id").fill("srv-07")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Add the server").click()
    page.get_by_role("heading", name="Store the token and start the agent").wait_for()
    found["a token"] = findings(page)
    assert {path: each for path, each in found.items() if each} == {}


def test_no_page_scrolls_sideways(enter: Enter, page: Page, cast: Cast, fleet: str) -> None:
    def look() -> None:
        with_fonts(page)
        for width in (360, 721, 800, 1024, 1280, 1920):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url
            # A panel clips what does not fit: nothing may be lost in one.
            clipped = page.locator(".panel:not(.scroll)").evaluate_all(
                "panels => panels.filter(panel => panel.scrollWidth > panel.clientWidth).map(panel => panel.className)"
            )
            assert clipped == [], f"{page.url} at {width} px"

    enter(cast.starlight.owner, "/servers")
    look()
    page.context.clear_cookies()
    enter(cast.operator, "/operator/servers")
    for path in (*OPERATOR_PAGES, f"/operator/partners/{cast.starlight.partner_id}"):
        page.goto(path)
        look()


def test_links_in_live_parts_lead_where_they_say(enter: Enter, cast: Cast, fleet: str) -> None:
    page = live(enter(cast.operator, "/operator/servers"))
    page.get_by_role("link", name="srv-02", exact=True).click()
    expect(page.locator("#opened-title")).to_have_text("srv-02")
    page.get_by_role("link", name="Page of srv-05").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("srv-05")
    page.get_by_role("link", name="Servers").first.click()
    page.get_by_role("link", name="Open its page").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("srv-04")
