"""What a page in Chromium sends to storage, with the browser's own times: those of Playwright are in none of them."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, Response

from bench.harness.bench_server import EMAIL, PASSWORD

_OWN_INPUT = (
    """document.body.append(Object.assign(document.createElement("input"), {type: "file", id: "bench-file"}))"""
)
# `whole`: the file itself, which the browser's network process reads from the disk. A slice of it comes through another
# process, a cost that every upload in parts has.
_ONE_PUT = """([url, whole]) => new Promise((resolve, reject) => {
    const [file] = document.getElementById("bench-file").files;
    const request = new XMLHttpRequest();
    request.open("PUT", url);
    request.upload.onprogress = () => {};
    request.onload = () => {
        if (request.status !== 200) reject(`storage answered ${request.status}`);
        const [{duration}] = performance.getEntriesByName(url);
        resolve(duration / 1000);
    };
    request.onerror = () => reject("the connection broke");
    request.send(whole ? file : file.slice(0));
})"""
# From the start of the first call to the end of the last response.
_UPLOAD = """() => {
    const [begun] = performance.getEntriesByType("resource").filter(({name}) => name.endsWith("/uploads"));
    const [ended] = performance.getEntriesByType("resource").filter(({name}) => name.endsWith("/complete"));
    return (ended.responseEnd - begun.startTime) / 1000;
}"""
_ONE_PART = """() => {
    const [part] = performance.getEntriesByType("resource").filter(({name}) => name.includes("partNumber=1&"));
    return part.duration / 1000;
}"""


def sign_in(page: Page) -> None:
    """As the bench's owner."""
    page.goto("/sign-in")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/games")


def open_game(page: Page, slug: str, file: Path) -> None:
    """The page of a game, with `file` chosen for `one_put`."""
    page.goto(f"/games/{slug}")
    page.evaluate("performance.setResourceTimingBufferSize(5000)")
    page.evaluate(_OWN_INPUT)
    page.locator("#bench-file").set_input_files(file)


def one_put(page: Page, url: str, *, whole: bool) -> float:
    """Seconds of one PUT of the chosen file, or of a slice that is all of it."""
    return float(page.evaluate(_ONE_PUT, [url, whole]))


def upload(page: Page, file: Path) -> None:
    """Send the file as the page does, until `complete` has answered."""
    with page.expect_response(_ends_upload) as last:
        page.locator("#drop-file").set_input_files(file)
    if last.value.status != 200:
        raise SystemExit(f"{last.value.url}: {last.value.status} {last.value.text()}")


def _ends_upload(response: Response) -> bool:
    """Whether an upload is complete, or was refused at its beginning."""
    return response.url.endswith("/complete") or (response.url.endswith("/uploads") and response.status >= 400)


def upload_seconds(page: Page) -> float:
    """Seconds of the page's only upload, from its first call until `complete` had answered."""
    return float(page.evaluate(_UPLOAD))


def one_part_seconds(page: Page) -> float:
    """Seconds of the request that sent part 1 of the page's only upload."""
    return float(page.evaluate(_ONE_PART))


def wait_for_check(page: Page) -> None:
    """Until the archive is checked, which would take a core from what is measured next."""
    page.locator(".upload[data-phase=live]").wait_for()
