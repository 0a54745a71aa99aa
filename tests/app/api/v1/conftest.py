"""An app of Starlight's with a game of its own, and strangers."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from app.catalog.games import register_game
from app.data.extensions import db
from app.data.models.partner import Partner
from tests.app.api.v1.calling import Studio
from tests.conftest import CAST, GAME, Cast


@pytest.fixture
def studio(cast: Cast, client: FlaskClient) -> Studio:
    """Starlight's key, with one game."""
    partner = db.session.get_one(Partner, cast.starlight.partner_id)
    metadata = {"title": GAME["title"], "developer": "Kite Works", "description": "Quiet.", "tags": ["Cards"]}
    game = register_game(partner, "paper-lanterns", metadata, CAST)
    return Studio(client, cast.starlight.key, game.id)
