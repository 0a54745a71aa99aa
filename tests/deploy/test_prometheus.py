"""A real Prometheus with the files of deploy/ scrapes the app and evaluates the rules."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import urllib3
from flask import Flask

from tests.app.runtime.processes import free_port, wait_until
from tests.conftest import ROOT, Cast
from tests.deploy.promtool import installed
from tests.live_server import LiveServer

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]
FILES = ROOT / "deploy" / "prometheus"
http = urllib3.PoolManager(retries=False, timeout=10)


class Prometheus:
    """A running Prometheus; `ask` calls its API."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/api/v1"

    def ask(self, path: str, **query: str) -> Any:
        """The data of an answer, or None as long as there is none."""
        try:
            answer = http.request("GET", f"{self.url}/{path}", fields=query)
        except urllib3.exceptions.HTTPError:
            return None
        return answer.json()["data"] if answer.status == 200 else None

    def has(self, expression: str) -> bool:
        """Whether the expression has a value now."""
        return bool((self.ask("query", query=expression) or {}).get("result"))


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[Prometheus]:
    text = (FILES / "prometheus.yml").read_text()
    for old, new in (("127.0.0.1:8000", target), ("15s", "1s"), ("alerts.yml", str(FILES / "alerts.yml"))):
        assert old in text
        text = text.replace(old, new)
    (folder / "prometheus.yml").write_text(text)
    port = free_port()
    command = [
        installed("prometheus"),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield Prometheus(port)
    finally:
        process.kill()
        process.wait()


def test_prometheus_scrapes_the_app_and_evaluates_every_rule(app: Flask, cast: Cast, tmp_path: Path) -> None:
    server = LiveServer(app)
    server.start()
    try:
        with prometheus(tmp_path, server.url.removeprefix("http://")) as running:
            wait_until(lambda: running.has('up{job="slipway"} == 1'), 60, "the app is scraped")
            wait_until(lambda: running.has('slipway_requests_total{route="/metrics"}'), 60, "and scraped again")

            def evaluated() -> bool:
                groups = (running.ask("rules") or {}).get("groups", [])
                rules = [rule for group in groups for rule in group["rules"]]
                assert not [rule for rule in rules if rule["health"] == "err"], rules
                return bool(rules) and all(rule["health"] == "ok" for rule in rules)

            wait_until(evaluated, 60, "every rule was evaluated")
            assert running.has("slipway_database_up == 1")
    finally:
        server.stop()
