"""Shell commands that install a server's token and start its agent: one line to paste on the game server."""

from __future__ import annotations

from dataclasses import dataclass

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from app.web.frame.shown_commands import base_url

# The same paths as in docs/agents.md.
PROGRAM = "/opt/slipway/bin/slipway-agent"
TOKEN_FILE = "/etc/slipway-agent.token"  # noqa: S105 (a path)
CACHE = "/srv/games"
USER = "slipway"


def _write_token(token: str) -> str:
    # Through standard input, because every user of a machine can read the arguments of a command.
    return f"install -m 600 -o {USER} /dev/stdin {TOKEN_FILE} <<< '{token}'"


def install_line(base: str, token: str) -> str:
    """For root's shell: write the token into a file that only the agent's user can read, and start the agent."""
    run = f"runuser -u {USER} -- {PROGRAM} run --url {base} --cache {CACHE} --token-file {TOKEN_FILE}"
    return f"{_write_token(token)} && {run}"


def replace_line(token: str) -> str:
    """For root's shell: replace the token and restart the agent, which reads its token at start."""
    return f"{_write_token(token)} && systemctl restart slipway-agent"


@dataclass(frozen=True)
class NewToken:
    """A token that was just made. It is shown only in this response."""

    server_id: str
    token: str
    rolled: bool = False

    @property
    def line(self) -> str:
        return replace_line(self.token) if self.rolled else install_line(base_url(), self.token)


def already_shown(server_id: str) -> ResponseReturnValue:
    """The response to a form that is sent a second time."""
    flash(f"The token of {server_id} was already shown. Roll it if you have not stored it.")
    return redirect(url_for("operator_server.page", server_id=server_id), 303)
