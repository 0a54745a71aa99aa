"""The command that starts an agent with its token: one line, ready to paste on the game server."""

from __future__ import annotations

from dataclasses import dataclass

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from app.web.frame.shown_commands import base_url

# As docs/agents.md has them.
PROGRAM = "/opt/slipway/bin/slipway-agent"
TOKEN_FILE = "/etc/slipway-agent.token"  # noqa: S105 (a path)
CACHE = "/srv/games"
USER = "slipway"


def _write_token(token: str) -> str:
    # Through standard input: the arguments of a command can be read by every user of a machine.
    return f"install -m 600 -o {USER} /dev/stdin {TOKEN_FILE} <<< '{token}'"


def install_line(base: str, token: str) -> str:
    """For root's shell: puts the token into a file that only the agent's user can read, and starts the agent."""
    run = f"runuser -u {USER} -- {PROGRAM} run --url {base} --cache {CACHE} --token-file {TOKEN_FILE}"
    return f"{_write_token(token)} && {run}"


def replace_line(token: str) -> str:
    """For root's shell: puts another token there; an agent reads its token when it starts."""
    return f"{_write_token(token)} && systemctl restart slipway-agent"


@dataclass(frozen=True)
class NewToken:
    """A token that was just made: in this answer and nowhere else."""

    server_id: str
    token: str
    rolled: bool = False

    @property
    def line(self) -> str:
        return replace_line(self.token) if self.rolled else install_line(base_url(), self.token)


def already_shown(server_id: str) -> ResponseReturnValue:
    """A form that was answered before: its token was shown then."""
    flash(f"The token of {server_id} was shown already. Roll it if it was not stored.")
    return redirect(url_for("operator_server.page", server_id=server_id), 303)
