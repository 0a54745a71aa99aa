"""flask storage: the embedded storage as a service, and preparing a bucket."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from app.config.settings import Settings, load_settings
from app.storage.bucket import Bucket
from tests.app.runtime.commands.conftest import Shell
from tests.app.runtime.processes import free_port
from tests.conftest import ROOT
from tests.storage.conftest import seaweed as seaweed
from tests.storage.seaweed import SeaweedFS

SECONDS = 120


@contextmanager
def started(folder: Path, *words: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A command that runs. Waits until it tells the service manager that it is ready."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
        notices.bind(str(folder / "notices"))
        notices.settimeout(SECONDS)
        process = subprocess.Popen(
            [sys.executable, "-m", "flask", *words],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "NOTIFY_SOCKET": str(folder / "notices")} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            assert notices.recv(100) == b"READY=1"
            yield process
        finally:
            process.kill()
            process.wait()


@pytest.mark.slow
def test_the_embedded_storage_runs_as_a_service(tmp_path: Path) -> None:
    own, port = {"SLIPWAY_INSTANCE": str(tmp_path / "instance")}, free_port()
    with started(tmp_path, "storage", "run", SLIPWAY_STORAGE_PORT=str(port), **own) as process:
        settings = load_settings(own)
        assert settings.storage_settings.endpoint == f"http://127.0.0.1:{port}"
        Bucket(settings.storage_settings).ping()
        second = subprocess.run(
            [sys.executable, "-m", "flask", "storage", "run"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"]} | own,
            capture_output=True,
            text=True,
        )
        assert second.returncode == 1
        assert "is in use" in second.stderr
        assert "Traceback" not in second.stderr
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_bucket_is_made_with_its_cors_rule(app: Flask, shell: Shell, seaweed: SeaweedFS) -> None:
    own: Settings = app.config["SLIPWAY"]
    where = replace(seaweed.settings(upload=None), bucket="prepared")
    app.config["SLIPWAY"] = own.model_copy(update={"storage": where, "base_url": "https://builds.starlight.example"})
    app.extensions["slipway_bucket"] = Bucket(where)
    for _ in range(2):
        made = shell.run("storage", "prepare")
        assert made.exit_code == 0, made.output
        assert made.stdout.splitlines() == [
            f"ok       bucket: The bucket 'prepared' exists at {where.endpoint}.",
            "ok       CORS: Pages of https://builds.starlight.example may send files, and no others.",
        ]
    checked = shell.run("doctor").stdout
    assert (
        "ok       storage CORS: Storage lets pages of https://builds.starlight.example send files, and no others."
        in checked
    )


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_storage_without_cors_rules_is_named(app: Flask, shell: Shell) -> None:
    """The embedded storage is MinIO's code: it has one setting for all buckets."""
    made = shell.run("storage", "prepare")
    assert made.exit_code == 0, made.output
    assert made.stdout.splitlines()[1].startswith("skipped  CORS: This storage has no CORS rules for buckets")
