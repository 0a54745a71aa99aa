"""Shell commands that install an agent and its token on a game server: those of docs/agents.md, ready to paste."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.web.frame.shown_commands import base_url

# The same paths as in docs/agents.md and in the service file.
PROGRAM = "/opt/slipway/bin/slipway-agent"
SETTINGS = "/etc/slipway"
TOKEN_FILE = f"{SETTINGS}/agent.token"
ADDRESS_FILE = f"{SETTINGS}/agent.env"
CACHE = "/srv/games"
USER = "slipway"
SERVICE_FILE = "/etc/systemd/system/slipway-agent.service"
# A copy of deploy/systemd/slipway-agent.service: the wheel has the templates, but not `deploy`.
_SERVICE_TEMPLATE = "operator/slipway-agent.service"


def wheel_name() -> str:
    """The file that `make dist` builds of this version."""
    return f"slipway-{version('slipway')}-py3-none-any.whl"


def install_lines() -> list[str]:
    """For root's shell on a new game server, in the folder with the wheel: everything but the token and the address."""
    return [
        f"id {USER} &>/dev/null || useradd --system --shell /usr/sbin/nologin {USER}",
        f"python3 -m venv {Path(PROGRAM).parents[1]}",
        f"{Path(PROGRAM).parent}/pip install ./{wheel_name()}",
        f"install -d -g {USER} -m 0750 {SETTINGS}",
        f"install -d -o {USER} -g {USER} -m 0755 {CACHE}",
        f"cat > {SERVICE_FILE} << 'END'",
        *render_template(_SERVICE_TEMPLATE).splitlines(),
        "END",
        "systemctl daemon-reload",
    ]


def _write_token(token: str) -> str:
    # Through standard input, because every user of a machine can read the arguments of a command.
    return f"install -m 0600 -o {USER} /dev/stdin {TOKEN_FILE} <<< '{token}'"


def start_lines(base: str, token: str) -> list[str]:
    """For root's shell (bash): store the token, which only the agent's user can read, and the address; start the agent
    now and at boot."""
    return [
        f"{_write_token(token)} &&",
        f"echo {shlex.quote(f'SLIPWAY_URL={base}')} > {ADDRESS_FILE} &&",
        "systemctl enable slipway-agent && systemctl restart slipway-agent",
    ]


def trial_lines(base: str, token: str) -> list[str]:
    """For any user's shell (bash), in an empty folder with the wheel: an agent in the foreground, without root and
    systemd."""
    return [
        "python3 -m venv slipway",
        f"slipway/bin/pip install ./{wheel_name()}",
        f"install -m 0600 /dev/stdin agent.token <<< '{token}'",
        f"slipway/bin/slipway-agent run --url {shlex.quote(base)} --cache games --token-file agent.token",
    ]


def replace_lines(token: str) -> list[str]:
    """For root's shell (bash): replace the token and restart the agent, which reads its token at start."""
    return [f"{_write_token(token)} &&", "systemctl restart slipway-agent"]


@dataclass(frozen=True)
class NewToken:
    """A token that was made at `made_at`. It is shown only in this response."""

    server_id: str
    token: str
    made_at: datetime
    rolled: bool = False

    @property
    def lines(self) -> Sequence[str]:
        return replace_lines(self.token) if self.rolled else start_lines(base_url(), self.token)

    @property
    def install(self) -> Sequence[str]:
        return install_lines()

    @property
    def trial(self) -> Sequence[str]:
        return trial_lines(base_url(), self.token)

    @property
    def wheel(self) -> str:
        return wheel_name()


def already_shown(server_id: str) -> ResponseReturnValue:
    """The response to a form that is sent a second time."""
    flash(f"The token of {server_id} was already shown. Roll it if you have not stored it.")
    return redirect(url_for("operator_server.page", server_id=server_id), 303)
