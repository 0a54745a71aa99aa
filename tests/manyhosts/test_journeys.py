"""The main journeys on many hosts. nginx sends each request to the next web process, so each journey uses both."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from app.accounts.keys import revoke_key
from app.data.extensions import db
from app.data.models.partner import ApiKey
from tests.app.runtime.processes import is_alive, wait_until
from tests.app.uploads.raw.live import STUDIO
from tests.app.uploads.raw.sending import upload
from tests.app.uploads.resumable.resuming import Client
from tests.browser.conftest import visit
from tests.conftest import PASSWORD
from tests.faults.agents import RealAgent
from tests.faults.packing import packed_game
from tests.manyhosts.stack import OWNER, Stack, master_of

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.timeout(300)]


# Collects how long the page was without its stream, each time.
WATCH = """() => {
  const shown = document.querySelector("#freshness");
  let lost = null;
  window.interruptions = [];
  new MutationObserver(() => {
    const live = shown.dataset.state === "live";
    if (!live && lost === null) lost = performance.now();
    if (live && lost !== null) { window.interruptions.push(Math.round(performance.now() - lost)); lost = null; }
  }).observe(shown, { attributes: true, attributeFilter: ["data-state"] });
}"""


@pytest.fixture(scope="module")
def agent(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealAgent]:
    cache = tmp_path_factory.mktemp("agent") / "cache"
    running = RealAgent(stack.address, stack.world.server_token, cache).start()
    yield running
    running.kill()


@pytest.fixture
def page(stack: Stack, chromium: Browser, complaints: list[str]) -> Iterator[Page]:
    """A page of a signed-in owner. Every request of signing in may reach another process."""
    context = visit(chromium, stack.address, complaints)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Email").fill(OWNER)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="Games", exact=True).first).to_be_visible()
    yield page
    context.close()


def open_game(page: Page, slug: str) -> None:
    page.goto(f"/games/{slug}")
    expect(page.locator("#freshness")).to_have_attribute("data-state", "live")
    page.evaluate("window.sameDocument = true")


@pytest.mark.browser
def test_a_build_goes_from_one_put_to_an_agent_and_the_page_follows(
    stack: Stack, agent: RealAgent, page: Page, complaints: list[str]
) -> None:
    slug = stack.world.new_game()
    open_game(page, slug)
    answer = upload(stack.port, stack.world.key, slug, packed_game(1, 200_000).archive)
    assert (answer.status, answer.json["build"]) == (200, 1), answer.json

    expect(page.get_by_text("Live: build 1")).to_be_visible()
    expect(page.locator("#c1-srv-01")).to_contain_text("Cached")
    assert page.evaluate("window.sameDocument")
    assert complaints == []


def test_an_upload_in_parts_becomes_a_build_by_the_worker(stack: Stack, agent: RealAgent) -> None:
    slug, game = stack.world.new_game(), packed_game(2, 17_000_000)
    ended = Client(stack, slug).deliver(game.archive)
    assert (ended["phase"], ended["build"]) == ("done", 1), ended
    assert stack.world.builds(slug) == [(1, game.sha256)]
    current = agent.cache / stack.world.game_id(slug) / "current"
    wait_until(current.is_symlink, 90, f"the agent has the build; its log is {agent.log}")


def test_both_processes_serve(stack: Stack) -> None:
    before = [answered(web.log) for web in stack.webs]
    for _ in range(10):
        assert stack.get("/livez").status == 200
    wait_until(
        lambda: all(answered(web.log) > count for web, count in zip(stack.webs, before, strict=True)),
        20,
        "both have answered",
    )


def answered(log: Path) -> int:
    return log.read_text().count("GET /livez")


def test_a_rate_limit_is_counted_once_for_all_processes(stack: Stack) -> None:
    """SLIPWAY_LIST_RATE is 20 per hour here. Counts per process would let 40 through."""
    key = stack.new_key()
    statuses = [stack.get("/api/v1/games", key).status for _ in range(30)]
    assert statuses == [200] * 20 + [429] * 10


def test_a_revoked_key_ends_in_every_process(stack: Stack) -> None:
    key = stack.new_key()
    assert stack.from_each("/api/partners/games", key) == [200, 200]
    with stack.world.app.app_context():
        row = db.session.query(ApiKey).order_by(ApiKey.created_at.desc()).first()
        assert row is not None
        revoke_key(row, STUDIO)
    wait_until(lambda: stack.from_each("/api/partners/games", key) == [401, 401], 20, "both refuse the key")


@pytest.mark.browser
def test_live_pages_follow_a_new_version_of_both_processes(
    stack: Stack, agent: RealAgent, page: Page, complaints: list[str]
) -> None:
    slug = stack.world.new_game()
    open_game(page, slug)
    page.evaluate(WATCH)
    for web in stack.webs:
        old = master_of(web)
        os.kill(old, signal.SIGHUP)
        wait_until(lambda: not is_alive(old), 90, "the old program has ended")  # noqa: B023 (used in this turn only)
        assert master_of(web) != old
    expect(page.locator("#freshness")).to_have_attribute("data-state", "live")
    interruptions = page.evaluate("window.interruptions")
    print(f"the page was not live for {interruptions} ms")  # noqa: T201  (on an idle machine, below 3,000)
    assert all(milliseconds < 20_000 for milliseconds in interruptions)

    answer = upload(stack.port, stack.world.key, slug, packed_game(3, 200_000).archive)
    assert (answer.status, answer.json["build"]) == (200, 1), answer.json
    expect(page.get_by_text("Live: build 1")).to_be_visible()
    assert page.evaluate("window.sameDocument")
