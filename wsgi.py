"""The WSGI entry point: `gunicorn -c python:app.serving wsgi:app`."""

from app import create_app

app = create_app()
