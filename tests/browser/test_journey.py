"""The main job, with everything real: `make run`, a browser, and the commands that its pages show."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.app.runtime.making import Run
from tests.browser.conftest import visit
from tests.browser.effort import Effort
from tests.game_archives import big_archive

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Storage, database, web server and three agents."""
    run = Run(tmp_path / "instance")
    try:
        yield run.start()
    finally:
        run.close()


def test_from_first_use_to_cached_on_three_servers_without_a_reload(
    chromium: Browser, run: Run, tmp_path: Path, complaints: list[str]
) -> None:
    desk = tmp_path / "desk"
    desk.mkdir()
    (desk / "paper-lanterns.tar.gz").write_bytes(big_archive(8_000_000))

    def enter_command(line: str) -> str:
        """Run a command as it was copied from a page."""
        done = subprocess.run(
            ["sh", "-c", line.replace("curl ", "curl --fail-with-body --silent --show-error ", 1)],
            cwd=desk,
            env=os.environ | {"SLIPWAY_KEY": run.demo["apiKey"]},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    context = visit(chromium, run.demo["baseUrl"], complaints)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Email").fill(run.demo["email"])
    page.get_by_label("Password", exact=True).fill(run.demo["password"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Launch your first game")).to_be_visible()

    register = page.get_by_role("region", name="Command that registers a game").inner_text()
    assert '"status":"pending_upload"' in enter_command(register).replace(" ", "")

    page.get_by_role("link", name="Games", exact=True).first.click()
    page.get_by_role("link", name="Paper Lanterns").click()
    expect(page.get_by_text("No build yet.")).to_be_visible()
    expect(page.locator("#freshness")).to_have_attribute("data-state", "live")
    page.evaluate("window.sameDocument = true")

    send = page.get_by_role("region", name="Command that sends a build of Paper Lanterns").inner_text()
    assert '"status":"ok"' in enter_command(send).replace(" ", "")

    for server in ("srv-01", "srv-02", "srv-03"):
        expect(page.locator(f"#c1-{server}")).to_contain_text("Cached", timeout=60_000)
    expect(page.get_by_text("Live: build 1")).to_be_visible()
    expect(page.locator("#game-state")).to_contain_text("Cached on 3 of 3")
    expect(page.locator("#builds tbody tr")).to_have_count(1)
    assert page.evaluate("window.sameDocument")
    assert complaints == []
    context.close()


def test_a_dropped_file_gets_to_three_servers_and_a_lost_server_comes_back(
    chromium: Browser, run: Run, tmp_path: Path, complaints: list[str]
) -> None:
    archive = tmp_path / "paper-lanterns-1.0.tar.gz"
    archive.write_bytes(big_archive(8_000_000))
    context = visit(chromium, run.demo["baseUrl"], complaints)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Email").fill(run.demo["email"])
    page.get_by_label("Password", exact=True).fill(run.demo["password"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Launch your first game")).to_be_visible()
    page.evaluate("window.sameDocument = true")

    effort = Effort(context)
    page.locator("#drop-file").set_input_files(archive)
    expect(page.get_by_label("Title")).to_have_value("Paper Lanterns")
    expect(page.get_by_label("Title")).to_be_focused()
    page.get_by_label("Save directory").fill("PaperLanterns-1")
    expect(page.get_by_label("Launcher")).to_have_value("paper-lanterns.sh")
    page.get_by_label("Tags").fill("Visual Novel")
    page.get_by_label("Description").fill("Lanterns, made of paper.")
    page.get_by_role("button", name="Register the game").click()
    expect(page.locator("#uploads-here .upload")).to_contain_text("Went live on 3 servers", timeout=60_000)
    for server in ("srv-01", "srv-02", "srv-03"):
        expect(page.locator(f"#c1-{server}")).to_contain_text("Cached", timeout=60_000)
    effort.assert_documented("Register the first game and get its build to every server", page, has_long_form=True)
    assert page.evaluate("window.sameDocument")

    # Two windows see the same.
    second = context.new_page()
    second.goto("/games")
    expect(second.locator("#game-paper-lanterns")).to_contain_text("Cached on 3 of 3")

    agent = run.pid_of("srv-02")
    os.kill(agent, signal.SIGSTOP)
    expect(page.locator("#c1-srv-02")).to_contain_text("No contact", timeout=60_000)
    expect(page.locator("#c1-srv-02")).to_contain_text("was cached")
    expect(page).to_have_title("(1 no contact) Paper Lanterns · Slipway")
    os.kill(agent, signal.SIGCONT)
    expect(page.locator("#c1-srv-02")).to_contain_text("Cached", timeout=60_000)
    expect(second.locator("#game-paper-lanterns")).to_contain_text("Cached on 3 of 3", timeout=60_000)
    assert complaints == []
    context.close()
