"""An archive sent from a page in Chromium until `complete` has answered, in turns with Uppy's S3 multipart, one PUT of
the same file from the same page, and curl. An archive of one part is compared with one PUT too.

Beside them: what the web process spent until then, and on the check.
"""

from __future__ import annotations

import os
import statistics
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from app.config.settings import GIB, MIB, load_settings
from app.storage.bucket import Bucket
from app.storage.part_writer import PART
from app.storage.url_signing import presign
from bench.harness.bench_server import BenchServer, cpu_seconds, register_game, running_server, verdict
from bench.peers import uppy
from bench.peers.peer_missing import PeerMissing
from bench.uploads import page_transfers
from bench.uploads.cli import curl_seconds
from bench.uploads.upload import make_archive
from tests.chromium import ARGUMENTS, CHROMIUM

ROUNDS = 3
SMALL_ROUNDS = 24  # with the large ones and both warm-ups 29 uploads: a member sends 30 per hour in the dashboard
TIMEOUT_MS = 600_000


@dataclass
class Seen:
    """Seconds, one per round; CPU seconds of the web process."""

    parts: list[float] = field(default_factory=list)
    uppy: list[float] = field(default_factory=list)
    file: list[float] = field(default_factory=list)
    slice: list[float] = field(default_factory=list)
    curl: list[float] = field(default_factory=list)
    sending: list[float] = field(default_factory=list)
    checking: list[float] = field(default_factory=list)


def run(directory: Path) -> bool:
    """Whether every target was met. SLIPWAY_BENCH_MIB sets a smaller size, to try the bench itself."""
    archive, small = directory / "game.tar.gz", directory / "small.tar.gz"
    make_archive(archive, int(os.environ.get("SLIPWAY_BENCH_MIB", GIB // MIB)) * MIB)
    make_archive(small, PART, file_size=3 * MIB)
    (directory / "stage").mkdir()
    with_uppy = _uppy_is_here()
    with running_server(directory / "stage") as stage, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        # The policy of the dashboard's pages would not let Uppy's script in.
        page = browser.new_context(base_url=stage.url, bypass_csp=True).new_page()
        page.set_default_timeout(TIMEOUT_MS)
        page_transfers.sign_in(page)
        seen = _in_turns(stage, page, archive, with_uppy)
        small_seen = _small_in_turns(stage, page, small)
        browser.close()
    met = _print_large(seen, archive.stat().st_size / MIB)
    return _print_small(small_seen, small.stat().st_size / MIB) and met


def _uppy_is_here() -> bool:
    try:
        uppy.install()
    except PeerMissing as missing:
        print(f"  without Uppy: {missing}")
        return False
    return True


def _in_turns(stage: BenchServer, page: Page, archive: Path, with_uppy: bool) -> Seen:
    where = load_settings(stage.environment).storage_settings
    for number in range(-1, ROUNDS):
        if number <= 0:
            seen = Seen()  # the first round is a warm-up
        key, slug = f"bench/{number}", f"round-{number + 1}"
        url = _url(stage, key)
        register_game(stage, slug)
        page_transfers.open_game(page, slug, archive)
        seen.curl.append(curl_seconds(url, archive))
        Bucket(where).delete([key])
        for seconds, whole in ((seen.file, True), (seen.slice, False)):
            seconds.append(page_transfers.one_put(page, _url(stage, key), whole=whole))
            Bucket(where).delete([key])
        if with_uppy:
            seen.uppy.append(uppy.send_with_uppy(page, where, key))
            Bucket(where).delete([key])
        _upload(stage, page, archive, seen)
    return seen


def _upload(stage: BenchServer, page: Page, archive: Path, seen: Seen) -> None:
    before = cpu_seconds(stage.worker)
    page_transfers.upload(page, archive)
    sent = cpu_seconds(stage.worker)
    page_transfers.wait_for_check(page)
    seen.parts.append(page_transfers.upload_seconds(page))
    seen.sending.append(sent - before)
    seen.checking.append(cpu_seconds(stage.worker) - sent)


def _small_in_turns(stage: BenchServer, page: Page, small: Path) -> Seen:
    where = load_settings(stage.environment).storage_settings
    for number in range(-1, SMALL_ROUNDS):
        if number <= 0:
            seen = Seen()
        slug, key = f"small-{number + 1}", f"bench/small-{number}"
        register_game(stage, slug)
        page_transfers.open_game(page, slug, small)
        # The two change places from round to round: what comes first finds a cold connection.
        if number % 2:
            seen.file.append(page_transfers.one_put(page, _url(stage, key), whole=True))
        page_transfers.upload(page, small)
        page_transfers.wait_for_check(page)
        seen.parts.append(page_transfers.one_part_seconds(page))
        if not number % 2:
            seen.file.append(page_transfers.one_put(page, _url(stage, key), whole=True))
        Bucket(where).delete([key])
    return seen


def _url(stage: BenchServer, key: str) -> str:
    return presign(load_settings(stage.environment).storage_settings, "PUT", key, {}, timedelta(hours=1))


def _print_large(seen: Seen, size: float) -> bool:
    def speeds(seconds: list[float]) -> list[int]:
        return [round(size / each) for each in seconds]

    print(
        f"  {size:.0f} MiB; MiB/s in parts {speeds(seen.parts)}, Uppy {speeds(seen.uppy)}, "
        f"one PUT {speeds(seen.file)}, of a slice {speeds(seen.slice)}, curl {speeds(seen.curl)}"
    )
    print(
        f"  CPU of the web process until complete answered {statistics.median(seen.sending):.2f} s, "
        f"of the check {statistics.median(seen.checking):.2f} s"
    )
    parts = statistics.median(seen.parts)
    for what, times in (("one PUT of the file", seen.file), ("curl", seen.curl)):
        print(f"  the page in parts over {what}: {statistics.median(times) / parts:.3g}")
    met = verdict("the page in parts over one PUT of a slice", statistics.median(seen.slice) / parts, 0.95, least=True)
    if seen.uppy:
        met &= verdict("the page in parts over Uppy", statistics.median(seen.uppy) / parts, 1.0, least=True)
    return met


def _print_small(seen: Seen, size: float) -> bool:
    print(f"  {size:.1f} MiB; ms in one part {_ms(seen.parts)}, one PUT {_ms(seen.file)}")
    ratio = statistics.median(seen.file) / statistics.median(seen.parts)
    return verdict("an archive of one part over one PUT", ratio, 0.95, least=True)


def _ms(seconds: list[float]) -> list[int]:
    return [round(each * 1000) for each in seconds]
