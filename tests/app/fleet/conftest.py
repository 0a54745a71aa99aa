"""A game and the agent of a server, for the tests of the fleet."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from app.data.models.game import Game
from tests.app.fleet.acting import FleetAgent, new_game
from tests.conftest import Cast


@pytest.fixture
def game(cast: Cast) -> Game:
    """Starlight's game, without builds."""
    return new_game(cast.starlight.partner_id, "paper-lanterns")


@pytest.fixture
def agent(client: FlaskClient, cast: Cast) -> FleetAgent:
    """The agent of srv-01."""
    return FleetAgent(client, cast.servers["srv-01"])
