"""The built wheel is a complete portal, agent and command line: in an empty environment, outside of the checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.parser import Parser
from functools import cached_property
from pathlib import Path

import pytest
import urllib3

from app.storage.embedded_server import StorageAccess
from tests.app.runtime.processes import free_port, wait_until
from tests.app.uploads.raw.live import environment_of
from tests.conftest import GAME, ROOT, bearer, settings_for
from tests.game_archives import game_archive

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# Nothing of these may come with the agent or the command line.
ONLY_THE_PORTALS = ("flask", "sqlalchemy", "gunicorn", "minio", "pillow", "pydantic")
BUILD = "from setuptools import build_meta; build_meta.build_wheel({!r})"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: setuptools leaves folders beside its sources."""
    checkout, target = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("dist")
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    built = [str(path.relative_to(ROOT)) for path in (ROOT / "app/static/dist").iterdir()]
    for name in [*filter(None, tracked.split("\0")), *built]:
        if (ROOT / name).is_file():
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            (checkout / name).hardlink_to(ROOT / name)
    subprocess.run([sys.executable, "-c", BUILD.format(str(target))], cwd=checkout, check=True, capture_output=True)
    (found,) = target.glob("slipway-*.whl")
    return found


def test_it_holds_the_portal_its_migrations_and_the_browsers_files(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    for path in (ROOT / "app/static/dist").iterdir():
        assert f"app/static/dist/{path.name}" in names
    for path in [*(ROOT / "app/templates").rglob("*.*"), *(ROOT / "migrations").rglob("*.py")]:
        assert str(path.relative_to(ROOT)) in names
    assert {"wsgi.py", "migrations/alembic.ini"} <= names
    assert not [name for name in names if name.startswith(("tests/", "bench/", "app/static/src/"))]


def test_agent_and_command_line_stay_light(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        needed = Parser().parsestr(archive.read(metadata).decode()).get_all("Requires-Dist") or []

    light = [line for line in needed if "extra" not in line or 'extra == "cli"' in line]
    assert any(line.startswith("urllib3") for line in light)
    assert [line for line in light if line.lower().startswith(ONLY_THE_PORTALS)] == []


def container_lines(folder: Path) -> list[str]:
    """The commands of the container image, with folders of ours."""
    text = (ROOT / "deploy/compose/Containerfile").read_text().replace("\\\n", "")
    lines = re.findall(r"^RUN (.*)$", text, re.MULTILINE)
    for old, new in (
        ("/opt/slipway", f"{folder}/venv"),
        ("/tmp/slipway", f"{folder}/brought"),
        ("/var/lib/slipway", f"{folder}/instance"),
        ("install -d -o 10001 -g 10001", "install -d"),  # the user of the image
        ("python3 -m venv", f"{sys.executable} -m venv"),
    ):
        assert any(old in line for line in lines), old
        lines = [line.replace(old, new) for line in lines]
    return lines


class Installed:
    """The wheel in an environment of its own, installed as in the container image. Commands run in `folder`, outside of
    the checkout."""

    def __init__(self, folder: Path, wheel: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        kept = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(folder)}
        # pip compiles all modules of all packages. Only a third of them is imported here, and compiled then. 0 is pip's
        # way of saying yes to an option that begins with "no".
        kept |= {"PIP_NO_COMPILE": "0"}
        self.environment = kept | {name: os.environ[name] for name in os.environ if name.startswith("PIP_")}
        (folder / "brought").mkdir()
        for brought in (ROOT / "requirements.lock", wheel):
            (folder / "brought" / brought.name).write_bytes(brought.read_bytes())
        for line in container_lines(folder):
            self._run("sh", "-euc", line)
        self.environment |= environment

    def program(self, name: str) -> str:
        return str(self.folder / "venv/bin" / name)

    def portal(self, *arguments: str) -> str:
        """What a command of the operator prints."""
        return self._run(self.program("slipway-portal"), *arguments).strip()

    def _run(self, *command: str) -> str:
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stderr[-3000:]}"
        return done.stdout

    @contextmanager
    def running(self, *command: str, **environment: str) -> Iterator[None]:
        with (self.folder / f"{Path(command[0]).name}.log").open("wb") as log:
            process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment | environment, stdout=log, stderr=log
            )
        try:
            yield
        finally:
            process.terminate()
            process.wait(60)

    @cached_property
    def http(self) -> urllib3.PoolManager:
        return urllib3.PoolManager(retries=False, timeout=60)


def test_a_build_goes_from_upload_to_a_server_with_nothing_but_the_wheel(
    wheel: Path, storage: StorageAccess, tmp_path: Path
) -> None:
    """Nothing of the checkout is used, and no Node."""
    port = free_port()
    settings = settings_for(tmp_path / "instance", storage, S3_BUCKET=storage.bucket)
    installed = Installed(tmp_path, wheel, environment_of(settings) | {"PORT": str(port)})
    url = f"http://127.0.0.1:{port}"
    installed.portal("db", "upgrade")
    installed.portal("partner", "create", "Kite Works")
    headers = bearer(installed.portal("key", "create", "--partner", "Kite Works"))
    token = installed.portal("server", "add", "srv-01")

    gunicorn = (installed.program("gunicorn"), "-c", "python:app.runtime.web_server.gunicorn_settings", "wsgi:app")
    agent = (installed.program("slipway-agent"), "run", "--url", url, "--cache", str(tmp_path / "games"))
    with installed.running(*gunicorn):
        wait_until(lambda: _status(installed, f"{url}/healthz") == 200, 90, "the installed portal is healthy")
        page = installed.http.request("GET", f"{url}/sign-in").data.decode()
        styles = page.partition('href="/static/dist/main-')[2].partition('"')[0]
        assert _status(installed, f"{url}/static/dist/main-{styles}") == 200

        with installed.running(*agent, "--disk-floor", "1M", SLIPWAY_TOKEN=token):
            games = f"{url}/api/partners/games"
            game = installed.http.request("POST", games, json=GAME, headers=headers)
            assert game.status == 201, game.data
            slug = game.json()["slug"]
            sent = installed.http.request(
                "PUT",
                f"{games}/{slug}/upload",
                body=game_archive(str(GAME["launcher"])),
                headers=headers | {"Content-Type": "application/gzip"},
            )
            assert sent.status in {200, 201}, sent.data
            wait_until(_is_there(tmp_path / "games"), 90, "the build is on the server")


def _status(installed: Installed, url: str) -> int:
    try:
        return installed.http.request("GET", url).status
    except urllib3.exceptions.HTTPError:
        return 0


def _is_there(games: Path) -> Callable[[], bool]:
    return lambda: any((current / str(GAME["launcher"])).is_file() for current in games.glob("*/current"))
