"""The web server records where it listens, and commands without PORT in their environment use it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.config.settings import load_settings
from app.config.web_address import local_address, record_web_address, with_web_address
from app.storage.embedded_server import StorageAccess
from tests.app.uploads.raw.live import Gunicorn, environment_of, world_on_sqlite
from tests.conftest import ROOT
from tests.file_modes import mode_of


@pytest.mark.slow
def test_links_of_a_command_lead_to_the_port_of_the_web_server(
    tmp_path: Path, empty_sqlite: Path, storage: StorageAccess
) -> None:
    with world_on_sqlite(tmp_path / "instance", empty_sqlite, storage) as world:
        environment = environment_of(world.settings) | {"PATH": os.environ["PATH"]}
        flask = [sys.executable, "-m", "flask"]
        member = ("member", "create", "olga@slipway.example", "--role", "operator")
        subprocess.run([*flask, *member], cwd=ROOT, env=environment, input=b"twelve letters\n", check=True)
        web = Gunicorn(world.settings, tmp_path / "web.log").start()
        try:
            link = subprocess.run(
                [*flask, "member", "link", "olga@slipway.example"],
                cwd=ROOT,
                env=environment,
                check=True,
                capture_output=True,
                text=True,
            )
        finally:
            web.kill()
    assert link.stdout.startswith(f"{web.address}/new-password/")
    assert mode_of(tmp_path / "instance" / "web_address") == 0o600


def test_settings_of_the_environment_count_more_than_the_record(tmp_path: Path) -> None:
    own = {"SLIPWAY_INSTANCE": str(tmp_path / "instance")}
    assert with_web_address(load_settings(own)).port == 8000
    record_web_address(tmp_path / "instance", "0.0.0.0", 8123)
    found = with_web_address(load_settings(own))
    assert (found.host, found.port) == ("0.0.0.0", 8123)
    found = with_web_address(load_settings(own | {"PORT": "9000"}))
    assert (found.host, found.port) == ("0.0.0.0", 9000)
    (tmp_path / "instance" / "web_address").write_text("half of a rec")
    assert with_web_address(load_settings(own)).port == 8000


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("[::1]", "http://[::1]:80"),
    ],
)
def test_this_machine_reaches_what_listens_everywhere_on_loopback(host: str, address: str) -> None:
    assert local_address(host, 80) == address
