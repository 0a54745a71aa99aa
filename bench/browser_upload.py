"""An archive sent from a page in Chromium until `complete` has answered, over one PUT of the same file from the same
page to one presigned URL, in turns; over curl; beside it what the web process spent until then, and on the check.

Times are the browser's own (Resource Timing), so what Playwright costs is in none of them.
"""

from __future__ import annotations

import os
import statistics
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Page, sync_playwright

from app.config.settings import GIB, MIB, load_settings
from app.storage.bucket import Bucket
from app.storage.url_signing import presign
from bench.bench_server import EMAIL, PASSWORD, BenchServer, register_game, running_server, verdict
from bench.cli import curl_seconds
from bench.upload import make_archive
from tests.chromium import ARGUMENTS, CHROMIUM

ROUNDS = 3
TARGET = 0.95
TIMEOUT_MS = 600_000

# From the start of the first call to the end of the last response.
IN_PARTS = """() => {
    const [begun] = performance.getEntriesByType("resource").filter(({name}) => name.endsWith("/uploads"));
    const [ended] = performance.getEntriesByType("resource").filter(({name}) => name.endsWith("/complete"));
    return (ended.responseEnd - begun.startTime) / 1000;
}"""
# `whole`: the file itself, which the browser's network process reads from the disk. A slice of it comes through another
# process, a cost that every upload in parts has.
IN_ONE = """([url, whole]) => new Promise((resolve, reject) => {
    const [file] = document.getElementById("bench-file").files;
    const request = new XMLHttpRequest();
    const begun = performance.now();
    request.open("PUT", url);
    request.upload.onprogress = () => {};
    request.onload = () => {
        if (request.status === 200) resolve((performance.now() - begun) / 1000);
        else reject(`storage answered ${request.status}`);
    };
    request.onerror = () => reject("the connection broke");
    request.send(whole ? file : file.slice(0));
})"""
OWN_INPUT = """document.body.append(Object.assign(document.createElement("input"), {type: "file", id: "bench-file"}))"""


@dataclass
class Seen:
    """Seconds, one per round; CPU seconds of the web process."""

    parts: list[float] = field(default_factory=list)
    one: list[float] = field(default_factory=list)
    slice: list[float] = field(default_factory=list)
    curl: list[float] = field(default_factory=list)
    sending: list[float] = field(default_factory=list)
    checking: list[float] = field(default_factory=list)


def run(directory: Path) -> bool:
    """Whether the target was met. SLIPWAY_BENCH_MIB sets a smaller size, to try the bench itself."""
    size = int(os.environ.get("SLIPWAY_BENCH_MIB", GIB // MIB)) * MIB
    archive = directory / "game.tar.gz"
    make_archive(archive, size)
    (directory / "stage").mkdir()
    seen = Seen()
    with running_server(directory / "stage") as stage, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_context(base_url=stage.url).new_page()
        page.set_default_timeout(TIMEOUT_MS)
        _sign_in(page)
        _round(stage, page, archive, "warm-up", Seen())
        for number in range(ROUNDS):
            _round(stage, page, archive, f"round-{number}", seen)
        browser.close()
    return _told(seen, archive.stat().st_size / MIB)


def _sign_in(page: Page) -> None:
    page.goto("/sign-in")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/games")


def _round(stage: BenchServer, page: Page, archive: Path, slug: str, seen: Seen) -> None:
    where = load_settings(stage.environment).storage_settings
    register_game(stage, slug)
    page.goto(f"/games/{slug}")

    def address() -> str:
        return presign(where, "PUT", f"bench/{slug}", {}, timedelta(hours=1))

    seen.curl.append(curl_seconds(address(), archive))
    Bucket(where).delete([f"bench/{slug}"])
    page.evaluate(OWN_INPUT)
    page.locator("#bench-file").set_input_files(archive)
    for seconds, whole in ((seen.one, True), (seen.slice, False)):
        seconds.append(page.evaluate(IN_ONE, [address(), whole]))
        Bucket(where).delete([f"bench/{slug}"])
    _in_parts(stage, page, archive, seen)


def _in_parts(stage: BenchServer, page: Page, archive: Path, seen: Seen) -> None:
    web = psutil.Process(stage.worker)
    page.evaluate("performance.setResourceTimingBufferSize(5000)")
    before = _cpu(web)
    with page.expect_response("**/complete") as completed:
        page.locator("#drop-file").set_input_files(archive)
    sent = _cpu(web)
    if completed.value.status != 200:
        raise SystemExit(f"completing: {completed.value.status} {completed.value.text()}")
    # Wait for the check, which would take a core from the next round. It is counted separately.
    page.locator(".upload[data-phase=live]").wait_for()
    seen.parts.append(page.evaluate(IN_PARTS))
    seen.sending.append(sent - before)
    seen.checking.append(_cpu(web) - sent)


def _cpu(process: psutil.Process) -> float:
    times: Any = process.cpu_times()
    return float(times.user + times.system)


def _told(seen: Seen, size: float) -> bool:
    def speeds(seconds: list[float]) -> list[int]:
        return [round(size / each) for each in seconds]

    parts, one, curl = (statistics.median(each) for each in (seen.parts, seen.one, seen.curl))
    print(
        f"  {size:.0f} MiB; MiB/s in parts {speeds(seen.parts)}, one PUT {speeds(seen.one)}, curl {speeds(seen.curl)}"
    )
    print(f"  the page in parts over curl: {curl / parts:.3g}")
    print(f"  the page in parts over one PUT of a slice of all of it: {statistics.median(seen.slice) / parts:.3g}")
    print(
        f"  CPU of the web process until complete answered {statistics.median(seen.sending):.2f} s, "
        f"of the check {statistics.median(seen.checking):.2f} s"
    )
    return verdict("the page in parts over one PUT from the same page", one / parts, TARGET, least=True)
