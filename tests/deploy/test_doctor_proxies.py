"""flask doctor finds what is wrong with a proxy: real nginx with the example of deploy/nginx, one mistake at a time."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import urllib3
from flask import Flask

from app.config.settings import Settings
from app.data.models.base import now
from app.process.check_result import CheckResult
from app.runtime.doctor import CHECKS
from app.storage.embedded_server import StorageAccess
from tests.app.runtime.processes import free_port, wait_until
from tests.app.uploads.raw.live import Gunicorn, World, world_on_sqlite
from tests.conftest import ROOT
from tests.deploy.walkthrough import NGINX_MAIN

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
EXAMPLE = (ROOT / "deploy/nginx/slipway.conf").read_text()


class Proxies:
    """One nginx with several servers, each the example with a change. `add` before `start`."""

    def __init__(self, folder: Path, portal: int, storage: str, bucket: str) -> None:
        self.folder, self.certificate = folder, folder / "fullchain.pem"
        self._portal, self._storage, self._bucket = portal, storage.removeprefix("http://"), bucket
        self._texts: list[str] = []
        names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
        request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
        files = ["-addext", names, "-keyout", str(folder / "key.pem"), "-out", str(self.certificate)]
        subprocess.run([*request, *files], check=True, capture_output=True)

    def add(self, *changes: tuple[str, str], portal: int | None = None) -> int:
        """The example with some texts replaced, all of which must occur. Returns its port."""
        text, port, number = EXAMPLE, free_port(), len(self._texts)
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        for old, new in (
            ("listen 443", f"listen 127.0.0.1:{port}"),
            ("listen 80", f"listen 127.0.0.1:{free_port()}"),
            ("server 127.0.0.1:8000", f"server 127.0.0.1:{portal or self._portal}"),
            ("server 127.0.0.1:9000", f"server {self._storage}"),
            ("location /slipway/", f"location /{self._bucket}/"),
            ("slipway_portal", f"portal_{number}"),
            ("slipway_storage", f"storage_{number}"),
            ("builds.example.org", "localhost"),
            ("storage.example.org", "127.0.0.1"),
            ("/etc/slipway/tls", str(self.folder)),
            ("/var/log/nginx", str(self.folder)),
        ):
            text = text.replace(old, new)
        self._texts.append(text)
        return port

    @contextmanager
    def running(self) -> Iterator[None]:
        (self.folder / "conf.d").mkdir()
        (self.folder / "conf.d/all.conf").write_text("\n".join(self._texts))
        user = "root" if os.geteuid() == 0 else "nobody"
        main = self.folder / "nginx.conf"
        main.write_text(NGINX_MAIN.format(user=user, folder=self.folder, included=self.folder / "conf.d/*.conf"))
        with (self.folder / "nginx.log").open("wb") as log:
            process = subprocess.Popen(["/usr/sbin/nginx", "-c", main, "-g", "daemon off;"], stdout=log, stderr=log)
        try:
            wait_until(lambda: (self.folder / "nginx.main").exists(), 30, "nginx runs")
            yield
        finally:
            process.terminate()
            process.wait(20)


class Doctor:
    """The checks, as another installation's settings would have them."""

    def __init__(self, app: Flask, proxies: Proxies, ports: dict[str, int], portal: int) -> None:
        self._app, self.proxies, self.ports, self.portal = app, proxies, ports, portal

    def of_portal(self, name: str) -> CheckResult:
        return self.asked("proxy", f"https://localhost:{self.ports[name]}")

    def of_storage(self, name: str, check: str = "public address") -> CheckResult:
        return self.asked(check, storage=f"https://127.0.0.1:{self.ports[name]}")

    def asked(self, name: str, base_url: str | None = None, storage: str = "", proxies: int = 1) -> CheckResult:
        own: Settings = self._app.config["SLIPWAY"]
        where = own.storage_settings
        where = replace(where, public_endpoint=storage, agent_endpoint=storage) if storage else where
        changed = {"base_url": base_url, "trusted_proxies": proxies, "storage": where}
        self._app.config["SLIPWAY"] = own.model_copy(update=changed)
        (check,) = (check for check in CHECKS if check.name == name)
        try:
            with self._app.app_context():
                return check.run()
        finally:
            self._app.config["SLIPWAY"] = own


PORTAL_HOST = "        proxy_set_header Host $http_host;\n        proxy_set_header X-Forwarded-For"
STORAGE_HOST = "        proxy_set_header Host $http_host;   # unchanged, with its port: it is signed\n"
MISTAKES: dict[str, list[tuple[str, str]]] = {
    "the example": [],
    "no scheme": [("        proxy_set_header X-Forwarded-Proto $scheme;\n", "")],
    "no host": [
        (PORTAL_HOST, "        proxy_set_header X-Forwarded-For"),
        ("        proxy_set_header X-Forwarded-Host $http_host;\n", ""),
    ],
    "small bodies": [("client_max_body_size 0;", "client_max_body_size 1m;")],
    "buffered bodies": [("proxy_request_buffering off;", "proxy_request_buffering on;")],
    "storage by another name": [(STORAGE_HOST, "")],
    "no ranges": [(STORAGE_HOST, f'{STORAGE_HOST}        proxy_set_header Range "";\n')],
    "redirects": [
        (
            "        proxy_pass http://slipway_storage;  # without a path: it is signed\n",
            "        return 307 https://elsewhere.example$request_uri;\n",
        )
    ],
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, empty_sqlite: Path, storage: StorageAccess) -> Iterator[World]:
    with world_on_sqlite(tmp_path_factory.mktemp("proxied"), empty_sqlite, storage) as world:
        yield world


@pytest.fixture(scope="module")
def doctor(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doctor]:
    folder = tmp_path_factory.mktemp("nginx")
    gunicorn = Gunicorn(world.settings, folder / "web.log", TRUSTED_PROXIES="1", TRUSTED_HOSTS="localhost")
    where = world.settings.storage_settings
    proxies = Proxies(folder, gunicorn.port, where.endpoint, where.bucket)
    ports = {name: proxies.add(*changes) for name, changes in MISTAKES.items()}
    ports["nothing behind"] = proxies.add(portal=free_port())
    plain = [("listen 443 ssl http2", "listen 443"), ("ssl_certificate", "# ssl_certificate")]
    inner = proxies.add(*plain)
    ports["two proxies"] = proxies.add(portal=inner)
    try:
        gunicorn.start()
        with proxies.running():
            yield Doctor(world.app, proxies, ports, gunicorn.port)
    finally:
        gunicorn.kill()


@pytest.fixture
def trusted(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """Trusts the certificate, as docs/self-hosting.md says."""
    monkeypatch.setenv("SSL_CERT_FILE", str(doctor.proxies.certificate))
    return doctor


def test_the_example_is_right(trusted: Doctor) -> None:
    found = trusted.of_portal("the example")
    assert found.text.endswith("arrive with their scheme, host and client address, and bodies unbuffered.")
    assert found.state == "ok"
    assert trusted.of_storage("the example").state == "ok"
    assert trusted.of_storage("the example", "agent address").state == "ok"


@pytest.mark.parametrize(
    ("mistake", "remedy"),
    [
        ("no scheme", "The portal sees http instead of https. Let the proxy set X-Forwarded-Proto"),
        ("no host", "Let the proxy pass on the Host header (nginx: proxy_set_header Host $host)"),
        ("small bodies", "The proxy refuses a body of MAX_ARCHIVE_BYTES. Raise its limit"),
        ("buffered bodies", "proxy_request_buffering off"),
        ("two proxies", "has the entries of 2 proxies, and TRUSTED_PROXIES is 1"),
    ],
)
def test_a_mistake_before_the_portal_is_found(trusted: Doctor, mistake: str, remedy: str) -> None:
    found = trusted.of_portal(mistake)
    assert remedy in found.text
    assert found.state == "failed"


@pytest.mark.parametrize(
    ("mistake", "check", "remedy"),
    [
        ("storage by another name", "public address", "must pass the Host header (with its port) and the path"),
        ("storage by another name", "agent address", "must pass the Host header (with its port) and the path"),
        ("small bodies", "public address", "client_max_body_size 0"),
        ("no ranges", "agent address", "ignores the header Range"),
        ("redirects", "public address", "redirects. Set the address that it redirects to"),
    ],
)
def test_a_mistake_before_storage_is_found(trusted: Doctor, mistake: str, check: str, remedy: str) -> None:
    found = trusted.of_storage(mistake, check)
    assert remedy in found.text
    assert found.state == "failed"
    assert "X-Amz" not in found.text


def test_clients_that_choose_their_address_are_found(doctor: Doctor) -> None:
    """TRUSTED_PROXIES is 1, and there is no proxy."""
    found = doctor.asked("proxy", f"http://127.0.0.1:{doctor.portal}")
    assert (found.state, "believes the address that a client claims" in found.text) == ("failed", True)


def test_a_proxy_that_is_not_counted_is_found(trusted: Doctor) -> None:
    found = trusted.asked("proxy", f"https://localhost:{trusted.ports['the example']}", proxies=0)
    assert (found.state, "Set TRUSTED_PROXIES=1" in found.text) == ("failed", True)


def test_a_portal_that_does_not_run_is_no_mistake(trusted: Doctor) -> None:
    for address in (f"https://localhost:{trusted.ports['nothing behind']}", f"https://localhost:{free_port()}"):
        found = trusted.asked("proxy", address)
        assert (found.state, "Start it, and run this command again" in found.text) == ("skipped", True)


def test_addresses_that_lead_nowhere_are_found(trusted: Doctor) -> None:
    for check in ("public address", "agent address"):
        found = trusted.asked(check, storage=f"https://127.0.0.1:{free_port()}")
        assert (found.state, "refuses connections" in found.text) == ("failed", True)
        found = trusted.asked(check, storage="https://storage.invalid")
        assert (found.state, "cannot resolve" in found.text) == ("failed", True)
    found = trusted.asked("proxy", "https://builds.invalid")
    assert (found.state, "cannot resolve" in found.text) == ("failed", True)


def test_a_certificate_that_is_not_trusted_is_named(doctor: Doctor) -> None:
    checks: list[Callable[[], CheckResult]] = [
        partial(doctor.of_portal, "the example"),
        partial(doctor.of_storage, "the example"),
    ]
    for check in checks:
        found = check()
        assert (found.state, "self-signed certificate" in found.text) == ("failed", True)
        assert "SSL_CERT_FILE" in found.text


def test_a_clock_that_differs_is_found(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.asked("storage clock").state == "ok"
    monkeypatch.setattr("app.storage.address_checks.now", lambda: now() + timedelta(minutes=5))
    found = doctor.asked("storage clock")
    assert (found.state, "ahead of that of storage" in found.text) == ("failed", True)
    monkeypatch.setattr("app.storage.address_checks.now", lambda: now() - timedelta(minutes=5))
    assert "behind that of storage" in doctor.asked("storage clock").text


def test_what_the_app_sees_is_for_the_doctor_alone(doctor: Doctor) -> None:
    for headers in ({}, {"X-Slipway-Doctor": "forged"}):
        answer = urllib3.request("GET", f"http://127.0.0.1:{doctor.portal}/doctor/request", headers=headers)
        assert answer.status == 404
