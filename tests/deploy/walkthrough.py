"""Follows the first part of docs/self-hosting.md on a machine that is a folder: its commands are run as they stand
there, with other folders, names and ports. What a test cannot change on its machine is stood in for: packages, users,
systemd.
"""

from __future__ import annotations

import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import urllib3

from tests.app.runtime.processes import free_port, wait_until
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "self-hosting.md"
PASSWORD = "Kite lantern 4821 over"
OWNER = "owner@example.org"
_FOLDERS = (
    *("/opt/slipway", "/etc/slipway", "/var/lib/slipway", "/var/log/nginx", "/var/backups/slipway", "/usr/local/bin"),
    *("/etc/systemd/system", "/etc/nginx/conf.d", "/srv/games"),
)
_PROGRAMS = ("gunicorn", "slipway-portal", "slipway-agent")
_NOTHING = "exit 0"
# Neither packages nor users are added to the machine of the tests.
_STANDS_IN = {
    "apt-get": _NOTHING,
    "useradd": _NOTHING,
    "createuser": _NOTHING,
    "createdb": _NOTHING,
    "runuser": 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"',
    "install": """
        n=$#
        while [ "$n" -gt 0 ]; do
            case $1 in
                -o|-g) shift 2; n=$((n - 2));;
                *) set -- "$@" "$1"; shift; n=$((n - 1));;
            esac
        done
        exec /usr/bin/install "$@"
        """,
}
NGINX_MAIN = """
user {user};
worker_processes 1;
pid {folder}/nginx.main;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {included};
}}
"""


def blocks(page: str, heading: str) -> list[str]:
    """The shell blocks below a heading of the page, up to the next one of the same level."""
    level = heading.partition(" ")[0]
    text = page.partition(f"\n{heading}\n")[2]
    text = re.split(rf"^{level} ", text, maxsplit=1, flags=re.MULTILINE)[0]
    return re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


class Machine:
    """A machine that is a folder. `tls`: the port of nginx."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder, self.home, self.state = folder, folder / "home", folder / "state"
        self.tls, self.plain, self.portal, self.storage = (free_port() for _ in range(4))
        self.url = f"https://localhost:{self.tls}"
        self.storage_url = f"https://127.0.0.1:{self.tls}"
        self._words = self._mapped_words(database_url)
        self._shims = folder / "shims"
        for made in (self.home, self.state, self._shims, *(folder / name[1:] for name in _FOLDERS)):
            made.mkdir(parents=True)
        self._write_shims()
        self._unpack()

    def _mapped_words(self, database_url: str) -> dict[str, str]:
        return {
            "https://builds.example.org": self.url,
            "https://storage.example.org": self.storage_url,
            "DNS:builds.example.org": "DNS:localhost",
            "DNS:storage.example.org": "IP:127.0.0.1",
            "builds.example.org": "localhost",
            "storage.example.org": "127.0.0.1",
            "listen 443": f"listen 127.0.0.1:{self.tls}",
            "listen 80": f"listen 127.0.0.1:{self.plain}",
            "127.0.0.1:8000": f"127.0.0.1:{self.portal}",
            "127.0.0.1:9000": f"127.0.0.1:{self.storage}",
            "SLIPWAY_STORAGE_PORT=9000": f"SLIPWAY_STORAGE_PORT={self.storage}",
            "postgresql://slipway@/slipway?host=/var/run/postgresql": database_url,
        } | {name: str(self.folder / name[1:]) for name in _FOLDERS}

    def mapped(self, text: str) -> str:
        """A command or file with the folders, names and ports of this machine."""
        longest_first = sorted(self._words, key=len, reverse=True)
        return re.sub("|".join(map(re.escape, longest_first)), lambda found: self._words[found[0]], text)

    def _unpack(self) -> None:
        """What `scp` brought: deploy/ and the lock file."""
        for path in (ROOT / "deploy").rglob("*"):
            if path.is_file() and not path.name.startswith("."):
                target = self.home / path.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(self.mapped(path.read_text()))
        settings = self.home / "deploy/systemd/portal.env"
        settings.write_text(f"{settings.read_text()}PORT={self.portal}\nSLIPWAY_STREAMS=8\n")

    def _write_shims(self) -> None:
        main = self.folder / "nginx.conf"
        included = self.folder / "etc/nginx/conf.d/*.conf"
        user = "root" if os.geteuid() == 0 else "nobody"  # workers write to folders of the test
        main.write_text(NGINX_MAIN.format(user=user, folder=self.state, included=included))
        systemctl = f'PYTHONPATH={ROOT} exec {sys.executable} -m tests.deploy.systemctl "$@"'
        own = {"systemctl": systemctl, "nginx": f'exec /usr/sbin/nginx -c {main} "$@"'}
        for name, script in (_STANDS_IN | own).items():
            path = self._shims / name
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        """That of a root shell on the machine."""
        path = f"{self._shims}:{self.folder / 'usr/local/bin'}:/usr/sbin:/usr/bin:/sbin:/bin"
        return {
            "PATH": path,
            "LANG": "C.UTF-8",
            "UNITS": str(self.folder / "etc/systemd/system"),
            "STATE": str(self.state),
            "NGINX_CONFIGURATION": str(self.folder / "nginx.conf"),
        }

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run a command line of the page. A program that asks for a password gets PASSWORD."""
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.mapped(line)],
            cwd=self.home,
            env=self.environment,
            input=f"{PASSWORD}\n",
            capture_output=True,
            text=True,
            timeout=300,
        )

    def succeeds(self, block: str) -> str:
        """What the lines of a block print, which must succeed one by one."""
        printed = ""
        for line in block.splitlines():
            done = self.run(line)
            assert done.returncode == 0, f"{self.mapped(line)}\n{done.stdout}\n{done.stderr}\n{self.logs()}"
            printed += done.stdout
        return printed

    def link_programs(self) -> None:
        """In place of installing the wheel, which tests/test_wheel.py does: the programs of the checkout."""
        programs = self.folder / "opt/slipway/bin"
        programs.mkdir()
        for name in _PROGRAMS:
            (programs / name).symlink_to(Path(sys.executable).parent / name)

    @property
    def certificate(self) -> Path:
        return self.folder / "etc/slipway/tls/fullchain.pem"

    def http(self) -> urllib3.PoolManager:
        """A client that trusts the machine's certificate."""
        trust = ssl.create_default_context(cafile=str(self.certificate))
        return urllib3.PoolManager(ssl_context=trust, retries=False, timeout=30)

    def logs(self) -> str:
        return "\n".join(f"{path}:\n{path.read_text()[-2000:]}" for path in self.state.glob("*.log"))

    def pid(self, unit: str) -> int:
        return int((self.state / f"{unit}.pid").read_text())

    def stop(self, unit: str, seconds: float = 60) -> int | None:
        """Stop a unit as systemd does with KillMode=mixed. Its exit code, if it was our child to wait for."""
        process = psutil.Process(self.pid(unit))
        process.send_signal(signal.SIGTERM)
        return process.wait(seconds)

    def close(self) -> None:
        """End everything that runs, the proxy last."""
        for path in sorted(self.state.glob("*.pid"), key=lambda path: path.stem == "nginx"):
            _end(int(path.read_text()))


def _end(pid: int) -> None:
    try:
        process = psutil.Process(pid)
        children = process.children(recursive=True)
        process.terminate()
        process.wait(20)
    except psutil.NoSuchProcess:
        return
    except psutil.TimeoutExpired:
        for one in (process, *children):
            if one.is_running():
                one.kill()


def followed(machine: Machine) -> dict[str, str]:
    """Follow the page from the empty machine to the live build. Returns what each block printed."""
    page, printed = PAGE.read_text(), {}
    found = blocks(page, "## From an empty machine to a live build")
    assert found[0].startswith("make dist")
    for block in found[1:-1]:
        if "pip install" in block:
            machine.link_programs()
        else:
            printed[block] = machine.succeeds(block)
    wait_until(_prints(machine, found[-1], printed), 120, f"the build is live\n{machine.logs()}")
    return printed


def _prints(machine: Machine, block: str, printed: dict[str, str]) -> Callable[[], bool]:
    def look() -> bool:
        done = machine.run(block)
        printed[block] = done.stdout
        return done.returncode == 0

    return look
