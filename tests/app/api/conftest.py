"""Who calls the partner API in these tests."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.app.api.calling import Script
from tests.conftest import Cast


@pytest.fixture
def script(client: FlaskClient, cast: Cast) -> Script:
    """Starlight's script, with a key of every scope."""
    return Script(client, cast.starlight.key)


@pytest.fixture
def stranger(client: FlaskClient, cast: Cast) -> Script:
    """Another partner's script."""
    return Script(client, cast.moonbase.key)
