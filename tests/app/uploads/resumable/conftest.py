"""Who sends archives in parts in these tests."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.app.uploads.resumable.sending import Sender
from tests.conftest import Cast


@pytest.fixture
def sender(client: FlaskClient, cast: Cast) -> Sender:
    """Starlight's script, with one game registered."""
    sender = Sender(client, cast.starlight.key)
    assert sender.register().status_code == 201
    return sender


@pytest.fixture
def stranger(client: FlaskClient, cast: Cast) -> Sender:
    """Another partner's script, with a game of the same slug."""
    stranger = Sender(client, cast.moonbase.key)
    assert stranger.register().status_code == 201
    return stranger
