"""The WSGI entry point: `gunicorn -c python:app.serving wsgi:app`, and what `flask` commands find."""

from app import create_app
from app.config import SettingsError
from app.private_files import keep_new_files_private

keep_new_files_private()
try:
    app = create_app()
except SettingsError as error:
    raise SystemExit(f"Slipway did not start: {error}") from None
