"""docs/self-hosting.md leads from an empty machine to a live build, and the installation that it makes works: behind
real nginx with TLS, on Postgres, with the programs and settings of the units in deploy/systemd."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3
from sqlalchemy import URL

from tests.app.runtime.processes import wait_until
from tests.conftest import run_sql
from tests.deploy.walkthrough import OWNER, PAGE, PASSWORD, Machine, blocks, followed
from tests.game_archives import big_archive
from tests.signed_in_browsers import sign_in_by_form

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.timeout(600)]
PARTS_BYTES = 40 * 1024**2  # several parts


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, postgres: URL) -> Iterator[Machine]:
    database = f"host_{os.getpid()}"
    run_sql(postgres, f"CREATE DATABASE {database}")
    url = postgres.set(database=database, drivername="postgresql").render_as_string(hide_password=False)
    machine = Machine(tmp_path_factory.mktemp("machine"), url)
    try:
        yield machine
    finally:
        machine.close()
        run_sql(postgres, f"DROP DATABASE {database} WITH (FORCE)")


@pytest.fixture(scope="module")
def printed(machine: Machine) -> dict[str, str]:
    """What each block of the page printed."""
    return followed(machine)


@pytest.fixture(scope="module")
def key(machine: Machine, printed: dict[str, str]) -> str:
    return (machine.home / "studio.key").read_text().strip()


@pytest.fixture(scope="module")
def http(machine: Machine, printed: dict[str, str]) -> urllib3.PoolManager:
    return machine.http()


def test_the_page_leads_to_a_build_that_is_live(printed: dict[str, str]) -> None:
    assert list(printed.values())[-1] == "Hello\n"


def test_the_doctor_finds_nothing_to_set(printed: dict[str, str]) -> None:
    (lines,) = (said.splitlines() for block, said in printed.items() if "doctor" in block)
    assert [line for line in lines[:-1] if not line.startswith(("ok ", "skipped "))] == []
    assert [line.split(":")[0].split() for line in lines if line.startswith("skipped")] == [["skipped", "redis"]]
    assert lines[-1] == f"{len(lines) - 1} checks, 0 failed."


def test_parts_go_straight_to_storage_and_the_agent_fetches_them(
    machine: Machine, key: str, http: urllib3.PoolManager, tmp_path: Path
) -> None:
    archive = tmp_path / "build.tar.gz"
    archive.write_bytes(big_archive(PARTS_BYTES, "hello.sh"))
    pushed = subprocess.run(
        [sys.executable, "-m", "slipway.cli", "push", str(archive), "--game", "hello", "--wait", "cached"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SLIPWAY_URL": machine.url, "SLIPWAY_KEY": key}
        | {"SSL_CERT_FILE": str(machine.certificate)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert pushed.returncode == 0, pushed.stdout + pushed.stderr
    (current,) = (machine.folder / "srv/games").glob("*/current")
    assert current.resolve().parent.name == "2"

    headers = {"Authorization": f"Bearer {key}", "Accept": "application/json"}
    answer = http.request("GET", f"{machine.url}/api/partners/games/hello/builds/2/download", headers=headers)
    assert answer.json()["url"].startswith(f"{machine.storage_url}/slipway/archives/")
    fetched = http.request("GET", answer.json()["url"]).data
    assert hashlib.sha256(fetched).hexdigest() == hashlib.sha256(archive.read_bytes()).hexdigest()


def test_the_command_tells_what_to_do_about_a_certificate_of_ones_own(machine: Machine, key: str) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "slipway.cli", "games"],
        env={"PATH": os.environ["PATH"], "HOME": str(machine.home), "SLIPWAY_URL": machine.url, "SLIPWAY_KEY": key},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert refused.returncode == 20
    assert "name its file in SSL_CERT_FILE" in refused.stderr


def test_live_pages_are_not_buffered(machine: Machine, key: str, http: urllib3.PoolManager) -> None:
    cookie = _sign_in(machine, http)
    stream = http.request("GET", f"{machine.url}/catalog/live", headers={"Cookie": cookie}, preload_content=False)
    assert stream.headers["Content-Type"].startswith("text/event-stream")
    try:
        first = stream.read1(65536)
        assert first
        game = {"title": "Second", "slug": "second", "developer": "-", "description": "-", "tags": ["Demo"]}
        made = http.request(
            "POST",
            f"{machine.url}/api/partners/games",
            json=game | {"launcher": "a.sh", "renpyDir": "A"},
            headers={"Authorization": f"Bearer {key}"},
        )
        assert made.status == 201, made.data
        seen = b""
        while b"Second" not in seen:  # until the client's own limit of 30 seconds without a byte
            seen += stream.read1(65536)
    finally:
        stream.close()


def _sign_in(machine: Machine, http: urllib3.PoolManager) -> str:
    """The cookie of the owner that the page created."""
    cookie = sign_in_by_form(http, machine.url, OWNER, PASSWORD)
    assert "Secure" in cookie
    return cookie.partition(";")[0]


def test_only_the_bucket_of_storage_is_public(machine: Machine, http: urllib3.PoolManager) -> None:
    for path in ("/", "/minio/admin/v3/info", "/minio/health/live", "/other-bucket/x"):
        assert http.request("GET", machine.storage_url + path).status == 404, path
    assert http.request("GET", f"{machine.storage_url}/slipway/archives/").status == 403
    plain = urllib3.request("GET", f"http://localhost:{machine.plain}/games", redirect=False, retries=False)
    assert (plain.status, plain.headers["Location"]) == (301, "https://localhost/games")


def test_backup_is_made_while_it_runs(machine: Machine, printed: dict[str, str]) -> None:
    block = next(block for block in _backup_blocks() if "portal backup" in block)
    assert "Backed up " in machine.succeeds(block)
    assert (machine.folder / "var/backups/slipway/manifest.json").is_file()


def _backup_blocks() -> list[str]:
    return blocks(PAGE.read_text(), "## Backup and restore")


def test_no_log_has_a_secret(machine: Machine, key: str) -> None:
    token = (machine.folder / "etc/slipway/agent.token").read_text().strip()
    written = [path for folder in (machine.state, machine.folder / "var/log") for path in folder.rglob("*.log")]
    assert {"slipway-web.log", "slipway-storage.log", "slipway-agent.log", "slipway.log"} <= {p.name for p in written}
    for path in written:
        text = path.read_text()
        for secret in ("X-Amz-Signature", key, token, PASSWORD):
            assert secret not in text, path


def test_every_unit_ends_in_order(machine: Machine, printed: dict[str, str]) -> None:
    """The last test of this module: nothing runs after it."""
    for unit, seconds in (("slipway-agent", 30), ("slipway-web", 60), ("slipway-storage", 30)):
        machine.stop(unit, seconds)
        wait_until(lambda: "Traceback" not in machine.logs(), 1, machine.logs())
