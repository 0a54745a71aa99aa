"""A game's page while things happen."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from app.accounts.members import change_role, members_of
from app.data.extensions import db
from app.data.models.partner import Partner
from app.limits import thread_budgets
from tests.app.runtime.processes import wait_until
from tests.app.web import scenes
from tests.app.web.conftest import ONE_DATABASE
from tests.app.web.scenes import On, Sent
from tests.browser.conftest import PATIENCE, wait_for_announcement, with_fonts
from tests.conftest import CAST, Cast

pytestmark = [pytest.mark.browser, ONE_DATABASE]

SignIn = Callable[[str], Page]


@pytest.fixture
def game_id(cast: Cast) -> str:
    """Build 2 is live and on its way to srv-02; its download on srv-03 failed."""
    servers = ("srv-01", "srv-02", "srv-03")
    found = scenes.add_game(
        cast.starlight.partner_id,
        "Low Tide",
        "low-tide",
        [
            Sent(on=[On(server) for server in servers]),
            Sent(
                on=[
                    On("srv-01"),
                    On("srv-02", "downloading", 10, 1_000_000),
                    On("srv-03", "failed", 0, attempt=9, reason="disk full: 954 MiB free"),
                ]
            ),
        ],
    )
    scenes.servers_report()
    return found


def opened(sign_in: SignIn, cast: Cast) -> Page:
    """The game's page with its stream open."""
    page = sign_in(cast.starlight.owner)
    page.goto("/games/low-tide")
    expect(page.locator("#freshness")).to_have_attribute("data-state", "live")
    return with_fonts(page)


def test_a_report_changes_the_cell_the_title_and_the_counts(
    sign_in: SignIn, cast: Cast, game_id: str, complaints: list[str]
) -> None:
    page = opened(sign_in, cast)
    expect(page).to_have_title("(1 failed) Low Tide · Slipway")
    cell = page.locator("#c2-srv-02")
    expect(cell).to_contain_text("10")
    scenes.change(game_id, 2, "srv-02", bytes_done=4_464_000_000)
    expect(cell).to_contain_text("62\u00a0%")
    scenes.change(game_id, 2, "srv-02", phase="cached", bytes_done=7_200_000_000)
    expect(cell).to_contain_text("Cached")
    scenes.change(game_id, 2, "srv-03", phase="cached", reason=None)
    expect(page).to_have_title("Low Tide · Slipway")
    expect(page.locator("#fleet-counts")).to_contain_text("3 cached")
    expect(page.locator("#game-state")).to_contain_text("Cached on 3 of 3")
    wait_for_announcement(page, "srv-03")
    assert complaints == []


def test_a_new_build_appears_by_itself(sign_in: SignIn, cast: Cast, complaints: list[str]) -> None:
    empty = scenes.add_game(cast.starlight.partner_id, "Low Tide", "low-tide")
    page = opened(sign_in, cast)
    expect(page.get_by_text("No build yet.")).to_be_visible()
    scenes.send(empty, Sent(on=[On("srv-01", "pending", 0), On("srv-02", "pending", 0), On("srv-03", "pending", 0)]))
    expect(page.locator("#builds tbody tr")).to_have_count(1)
    expect(page.locator("#build-1 td")).to_have_count(3)
    expect(page.get_by_text("Live: build 1")).to_be_visible()
    assert complaints == []


def test_a_swap_keeps_focus_scroll_and_what_was_unfolded(sign_in: SignIn, cast: Cast, game_id: str) -> None:
    page = opened(sign_in, cast)
    page.set_viewport_size({"width": 360, "height": 500})
    page.locator("#build-1 summary").click()
    link = page.locator("#c2-srv-02 a")
    link.focus()
    page.evaluate("scrollBy(0, 40)")
    top = page.evaluate("scrollY")
    scenes.change(game_id, 2, "srv-02", bytes_done=4_464_000_000)
    expect(link).to_contain_text("62")
    expect(link).to_be_focused()
    assert page.evaluate("scrollY") == top
    expect(page.locator("#c1-srv-01")).to_be_visible()


def test_nothing_moves_when_the_page_goes_live_and_when_parts_are_swapped(
    sign_in: SignIn, cast: Cast, game_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thread_budgets.streams, "limit", 0)
    page = sign_in(cast.starlight.owner)
    page.clock.install()
    page.goto("/games/low-tide")
    freshness = page.locator("#freshness")
    expect(freshness).to_have_text("Updates every 3\u00a0s")
    with_fonts(page).evaluate(
        """() => { window.shifts = []; new PerformanceObserver((list) => {
            for (const { value, sources } of list.getEntries()) {
                window.shifts.push([value, ...sources.map(({ node }) => node?.outerHTML?.slice(0, 200) ?? node?.data)]);
            }
        }).observe({type: "layout-shift", buffered: false}); }"""
    )
    monkeypatch.setattr(thread_budgets.streams, "limit", 10)
    expect(freshness).to_have_text(re.compile("^Updated [1-8]\u00a0s ago$"))
    page.clock.fast_forward(10_000)
    expect(freshness).to_have_text(re.compile("Updated 1[1-9]\u00a0s ago"))
    scenes.servers_report()
    for percent in (11, 47, 99):
        scenes.change(game_id, 2, "srv-02", bytes_done=72_000_000 * percent)
        expect(page.locator("#c2-srv-02")).to_contain_text(f"{percent}\u00a0%")
    scenes.change(game_id, 2, "srv-02", phase="cached")
    expect(page.locator("#c2-srv-02")).to_contain_text("Cached")
    found = page.evaluate("window.shifts")
    assert not found, "\n".join(map(repr, found))


def test_retry_now_asks_the_server_again(sign_in: SignIn, cast: Cast, game_id: str, complaints: list[str]) -> None:
    page = opened(sign_in, cast)
    button = page.get_by_role("button", name="Retry now: srv-03, build 2")
    with page.expect_response("**/retries") as answered:
        button.focus()
        page.keyboard.press("Enter")
    assert answered.value.status == 200
    expect(page).to_have_url(re.compile(r"/games/low-tide$"))
    expect(button).to_be_focused()
    assert scenes.retries_asked(game_id) == 1
    assert complaints == []


def test_without_a_stream_the_page_polls_and_says_so(
    sign_in: SignIn, cast: Cast, game_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thread_budgets.streams, "limit", 0)
    page = sign_in(cast.starlight.owner)
    page.goto("/games/low-tide")
    expect(page.locator("#freshness")).to_have_text("Updates every 3\u00a0s")
    scenes.change(game_id, 2, "srv-02", bytes_done=4_464_000_000)
    expect(page.locator("#c2-srv-02")).to_contain_text("62\u00a0%")
    # When a place is free again the stream comes back by itself.
    monkeypatch.setattr(thread_budgets.streams, "limit", 10)
    expect(page.locator("#freshness")).to_have_attribute("data-state", "live")


def test_a_poll_of_what_did_not_change_is_304(
    sign_in: SignIn, cast: Cast, game_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thread_budgets.streams, "limit", 0)
    page = sign_in(cast.starlight.owner)
    with page.expect_response("**/matrix*") as polled:
        page.goto("/games/low-tide")
    assert polled.value.status == 304


def test_when_nothing_answers_the_page_says_since_when(sign_in: SignIn, cast: Cast, game_id: str) -> None:
    page = opened(sign_in, cast)

    def refuse(route: Route) -> None:
        route.abort()

    page.route("**/matrix*", refuse)
    page.route("**/live*", refuse)
    wait_until(lambda: thread_budgets.streams.in_use == 1, PATIENCE, "1 streams are open")
    # The server ends the stream, and nothing answers any more.
    scenes.delete(game_id)
    expect(page.locator("#freshness")).to_have_text(
        re.compile(r"^Not updated since \d\d:\d\d\. Trying again in \d+\ss$"), timeout=20_000
    )


def test_a_deleted_game_leaves_its_page(sign_in: SignIn, cast: Cast, game_id: str) -> None:
    page = opened(sign_in, cast)
    scenes.delete(game_id)
    expect(page.get_by_role("heading", level=1)).to_have_text("No game at this address", timeout=15_000)


def test_a_page_of_an_old_role_reloads_and_says_so_once(sign_in: SignIn, cast: Cast, game_id: str) -> None:
    page = sign_in(cast.starlight.developer)
    page.goto("/games/low-tide")
    expect(page.locator("#freshness")).to_have_attribute("data-state", "live")
    expect(page.get_by_role("button", name="Choose a file")).to_be_visible()
    partner = db.session.get_one(Partner, cast.starlight.partner_id)
    member = next(member for member in members_of(partner) if member.email == cast.starlight.developer)
    change_role(partner, member.id, "viewer", CAST)
    toast = page.locator(".toast")
    expect(toast).to_contain_text("Your role was changed. It is now viewer")
    toast.hover()  # it stays
    expect(page.get_by_role("button", name="Choose a file")).to_have_count(0)
    # Announced, and then once in what a screen reader finds on the page.
    wait_for_announcement(page, "Your role was changed. It is now viewer")
    expect(page.locator("#status")).to_be_empty()
    assert page.locator("body").aria_snapshot().count("Your role was changed") == 1


def test_a_hidden_page_holds_no_stream(sign_in: SignIn, cast: Cast, game_id: str) -> None:
    page = opened(sign_in, cast)
    wait_until(lambda: thread_budgets.streams.in_use == 1, PATIENCE, "1 streams are open")
    hide = """(hidden) => { Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
        document.dispatchEvent(new Event("visibilitychange")); }"""
    page.evaluate(hide, True)
    wait_until(lambda: thread_budgets.streams.in_use == 0, PATIENCE, "0 streams are open")
    scenes.change(game_id, 2, "srv-02", bytes_done=4_464_000_000)
    assert "62" not in page.locator("#c2-srv-02").inner_text()
    page.evaluate(hide, False)
    expect(page.locator("#c2-srv-02")).to_contain_text("62\u00a0%")
    wait_until(lambda: thread_budgets.streams.in_use == 1, PATIENCE, "1 streams are open")


def test_going_to_another_page_ends_the_stream(sign_in: SignIn, cast: Cast, game_id: str) -> None:
    page = opened(sign_in, cast)
    wait_until(lambda: thread_budgets.streams.in_use == 1, PATIENCE, "1 streams are open")
    page.get_by_role("link", name="Settings", exact=True).click()
    page.wait_for_url("**/settings**")
    wait_until(
        lambda: thread_budgets.streams.in_use == 0, PATIENCE, "0 streams are open"
    )  # nothing is written meanwhile: the connection's end is noticed
    scenes.change(game_id, 2, "srv-02", bytes_done=4_464_000_000)
    page.go_back()
    expect(page.locator("#c2-srv-02")).to_contain_text("62\u00a0%")
    wait_until(lambda: thread_budgets.streams.in_use == 1, PATIENCE, "1 streams are open")


def test_two_pages_show_the_same_and_leave_together(sign_in: SignIn, cast: Cast, game_id: str) -> None:
    first = opened(sign_in, cast)
    second = first.context.new_page()
    second.goto("/games/low-tide")
    expect(second.locator("#freshness")).to_have_attribute("data-state", "live")
    scenes.change(game_id, 2, "srv-02", bytes_done=4_464_000_000)
    for page in (first, second):
        expect(page.locator("#c2-srv-02")).to_contain_text("62\u00a0%")
    first.locator("summary", has_text="Account").click()
    first.get_by_role("button", name="Sign out").click()
    expect(second).to_have_url(re.compile("/sign-in"))


def test_new_builds_wait_while_the_pointer_is_among_the_others(
    sign_in: SignIn, cast: Cast, game_id: str, complaints: list[str]
) -> None:
    page = opened(sign_in, cast)
    page.locator("#b2").hover()
    scenes.send(game_id, Sent(on=[On("srv-01", "pending", 0)]))
    button = page.get_by_role("button", name="1 new build: show")
    expect(button).to_be_visible()
    expect(page.locator("#b3")).to_be_hidden()
    button.click()
    expect(page.locator("#b3")).to_be_visible()
    expect(button).to_have_count(0)
    assert complaints == []


def test_the_icon_of_the_tab_carries_the_worst_state(sign_in: SignIn, cast: Cast, game_id: str) -> None:
    page = opened(sign_in, cast)
    icon = page.locator("#favicon")
    expect(icon).to_have_attribute("href", re.compile("favicon-failed"))
    scenes.change(game_id, 2, "srv-03", phase="cached", reason=None)
    expect(icon).to_have_attribute("href", re.compile("favicon-busy"))
    scenes.change(game_id, 2, "srv-02", phase="cached")
    expect(icon).to_have_attribute("href", re.compile(r"favicon-[A-Z0-9]+\.svg"))


def test_the_list_of_games_follows(sign_in: SignIn, cast: Cast, game_id: str, complaints: list[str]) -> None:
    page = sign_in(cast.starlight.owner)
    expect(page.locator("#game-low-tide")).to_contain_text("Failed on 1 of 3")
    expect(page).to_have_title("(1 failed) Games · Slipway")
    scenes.change(game_id, 2, "srv-03", phase="cached", reason=None)
    scenes.announce_partner(cast.starlight.partner_id)
    expect(page.locator("#game-low-tide")).to_contain_text("Arriving on 1 of 3")
    assert complaints == []
