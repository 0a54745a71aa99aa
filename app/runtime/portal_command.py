"""`slipway-portal`: the `flask` commands of an installed portal, from any folder."""

from __future__ import annotations

from flask.cli import FlaskGroup, ScriptInfo


def main() -> None:
    """Run a command. `wsgi` makes the app, and says in one line which setting cannot be used."""
    commands = FlaskGroup(add_default_commands=False, add_version_option=False, help="Operate this Slipway portal.")
    commands.main(prog_name="slipway-portal", obj=ScriptInfo(app_import_path="wsgi:app"))
