"""The WSGI entry point, for `gunicorn -c python:app.runtime.web_server.gunicorn_settings wsgi:app` and `flask`
commands."""

from app import create_app
from app.config.private_files import keep_new_files_private
from app.config.settings import SettingsError

keep_new_files_private()
try:
    app = create_app()
except SettingsError as error:
    raise SystemExit(f"Slipway did not start: {error}") from None
