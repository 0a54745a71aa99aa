"""The assets API: games by id, images, components, revisions (contract: assets-api.md)."""

from __future__ import annotations

from flask import Flask

from app.api.v1 import assets, components, cors, games, revisions
from app.data.extensions import csrf


def init_app(app: Flask) -> None:
    """Register every call."""
    for module in (games, assets, components, revisions):
        app.register_blueprint(module.bp)
        csrf.exempt(module.bp)  # browsers never send a bearer token by themselves
    cors.init_app(app)
