"""A game whose builds are really stored, and the agent of a server."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.data.models.game import Game
from tests.app.fleet.acting import FleetAgent, new_game
from tests.app.packing.scenes import LAUNCHER, PackInstaller, Studio
from tests.conftest import Cast


@pytest.fixture
def game(cast: Cast) -> Game:
    """Starlight's game, without builds."""
    return new_game(cast.starlight.partner_id, "paper-lanterns", launcher=LAUNCHER)


@pytest.fixture
def studio(game: Game) -> Studio:
    return Studio(game.slug)


@pytest.fixture
def agent(client: FlaskClient, cast: Cast) -> FleetAgent:
    """The agent of srv-01."""
    return FleetAgent(client, cast.servers["srv-01"])


@pytest.fixture
def installer(tmp_path: Path) -> PackInstaller:
    folder = tmp_path / "server"
    folder.mkdir()
    return PackInstaller(folder)
