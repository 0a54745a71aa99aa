"""Clients that common generators make of the OpenAPI document: their types fit, and they do a script's main job."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from tests.app.images.images import picture
from tests.conftest import ROOT, Cast
from tests.game_archives import game_archive
from tests.live_server import LiveServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
HERE = Path(__file__).parent
NODE_TOOLS = HERE / "typescript" / "node_modules" / ".bin"


def run(*command: str | Path, folder: Path, **environment: str) -> str:
    """Run a program to its end. Its output, which a failure shows."""
    tools = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    found = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=os.environ | {"PATH": tools} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=500,
    )
    assert found.returncode == 0, f"{command[0]}: {found.stdout[-4000:]}"
    return found.stdout


@pytest.fixture
def job_arguments(cast: Cast, live: LiveServer, tmp_path: Path) -> list[str | Path]:
    """What a job is told: the address, a key, a server's token, an archive and an image."""
    archive, image = tmp_path / "game.tar.gz", tmp_path / "card.png"
    archive.write_bytes(game_archive())
    image.write_bytes(picture())
    return [live.url, cast.starlight.key, cast.servers["srv-01"], archive, image]


@on_sqlite
def test_the_document_is_valid(document: dict[str, Any]) -> None:
    validate(document)


@on_sqlite
def test_a_python_client_does_the_main_job(
    document_file: Path, tmp_path: Path, job_arguments: list[str | Path]
) -> None:
    generate = ("openapi-python-client", "generate", "--meta", "none", "--fail-on-warning", "--overwrite")
    options = ("--path", document_file, "--output-path", tmp_path / "slipway_client")
    run(*generate, *options, "--config", HERE / "python" / "openapi-python-client.yml", folder=tmp_path)
    job = HERE / "python" / "main_job.py"
    python = sys.executable
    types = ("--strict", "--follow-imports", "silent", "--config-file=", "--cache-dir", tmp_path / "mypy")
    run(python, "-m", "mypy", *types, job, folder=tmp_path, MYPYPATH=str(tmp_path))
    run(python, job, *job_arguments, folder=tmp_path, PYTHONPATH=str(tmp_path))


@on_sqlite
def test_a_typescript_client_does_the_main_job(
    document_file: Path, tmp_path: Path, job_arguments: list[str | Path]
) -> None:
    source = tmp_path / "src"
    source.mkdir()
    (source / "main_job.ts").write_text((HERE / "typescript" / "main_job.ts").read_text())
    (source / "tsconfig.json").write_text((HERE / "typescript" / "tsconfig.json").read_text())
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    run(NODE_TOOLS / "openapi-typescript", document_file, "-o", source / "slipway.d.ts", folder=HERE / "typescript")
    run(NODE_TOOLS / "tsc", "-p", source, folder=tmp_path)
    run("node", source / "main_job.js", *job_arguments, folder=tmp_path)
