"""Stands in for systemctl where systemd does not run: starts the programs of real unit files with their environment.

Of the sandbox it applies RestrictAddressFamilies: the storage gateway asks the kernel for addresses by a socket.

`python -m tests.deploy.systemctl enable --now slipway-web`. Settings: UNITS (folder of unit files), STATE (folder for
logs and pids), NGINX_CONFIGURATION (main configuration), AS_USER (start as the unit's user, which needs root).
"""

from __future__ import annotations

import configparser
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.deploy.address_families import restrict_address_families

START_SECONDS = 120


def unit_section(path: Path) -> configparser.SectionProxy:
    """The section [Service] of a unit file."""
    parser = configparser.ConfigParser(interpolation=None, strict=False, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # the documented way to keep upper case
    parser.read_string(path.read_text())
    return parser["Service"]


def unit_environment(service: configparser.SectionProxy) -> dict[str, str]:
    """What systemd gives to the program."""
    environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
    environment |= dict(pair.split("=", 1) for pair in shlex.split(service.get("Environment", "")))
    for line in Path(service["EnvironmentFile"]).read_text().splitlines():
        if line.strip() and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            environment[name.strip()] = "".join(shlex.split(value))
    return environment


def command_line(service: configparser.SectionProxy, environment: dict[str, str]) -> list[str]:
    """ExecStart with its variables."""
    return [re.sub(r"\$\{(\w+)\}", lambda found: environment[found[1]], word) for word in service["ExecStart"].split()]


def start(unit: Path, state: Path) -> None:
    """Start a unit and wait until it is ready, as its Type asks."""
    service = unit_section(unit)
    environment = unit_environment(service)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices, (state / f"{unit.stem}.log").open("ab") as log:
        notices.settimeout(1.0)
        if service["Type"] == "notify":
            path = state / f"{unit.stem}.sock"
            path.unlink(missing_ok=True)
            notices.bind(str(path))
            path.chmod(0o777)
            environment["NOTIFY_SOCKET"] = str(path)
        process = subprocess.Popen(
            command_line(service, environment),
            cwd=service.get("WorkingDirectory", "/"),
            env=environment,
            umask=int(service["UMask"], 8),
            user=service["User"] if os.environ.get("AS_USER") else None,
            group=service["Group"] if os.environ.get("AS_USER") else None,
            extra_groups=[] if os.environ.get("AS_USER") else None,
            preexec_fn=lambda: restrict_address_families(service["RestrictAddressFamilies"].split()),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        (state / f"{unit.stem}.pid").write_text(str(process.pid))
        if service["Type"] == "notify":
            _wait_until_ready(process, notices, Path(log.name))


def _wait_until_ready(process: subprocess.Popen[bytes], notices: socket.socket, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            if b"READY=1" in notices.recv(4096):
                return
        except TimeoutError:
            if process.poll() is not None:
                break
    raise SystemExit(f"{log.stem} did not get ready:\n{log.read_text()[-3000:]}")


def reload_nginx(state: Path) -> None:
    """Reload the running nginx, or start one."""
    pid = state / "nginx.pid"
    if pid.exists():
        os.kill(int(pid.read_text()), signal.SIGHUP)
        return
    with (state / "nginx.log").open("ab") as log:
        process = subprocess.Popen(
            ["/usr/sbin/nginx", "-c", os.environ["NGINX_CONFIGURATION"], "-g", "daemon off;"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    pid.write_text(str(process.pid))


def main(words: list[str]) -> None:
    units, state = Path(os.environ["UNITS"]), Path(os.environ["STATE"])
    match words:
        case ["daemon-reload"]:
            return
        case ["enable", "--now", *names]:
            for name in names:
                start(units / f"{name}.service", state)
        case ["reload", "nginx"]:
            reload_nginx(state)
        case _:
            raise SystemExit(f"not known here: systemctl {' '.join(words)}")


if __name__ == "__main__":
    main(sys.argv[1:])
