"""A Flask app of one view and nothing else, in the same web server: the fastest that any call of Slipway could be."""

from __future__ import annotations

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index() -> dict[str, bool]:
    """A short answer."""
    return {"ok": True}
