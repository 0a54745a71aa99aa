"""`slipway-portal`: the `flask` commands of an installed portal, from any folder."""

from __future__ import annotations

from flask.cli import FlaskGroup, ScriptInfo

from app import create_app
from app.config.private_files import keep_new_files_private
from app.config.settings import SettingsError


def main() -> None:
    """Run a command. A setting that cannot be used is one line on standard error."""
    keep_new_files_private()
    try:
        app = create_app()
    except SettingsError as error:
        raise SystemExit(f"slipway-portal: {error}") from None
    commands = FlaskGroup(add_default_commands=False, add_version_option=False, help="Operate this Slipway portal.")
    commands.main(prog_name="slipway-portal", obj=ScriptInfo(create_app=lambda: app))
