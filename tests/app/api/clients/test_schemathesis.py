"""Random requests made of the OpenAPI document: each call takes what the document allows, refuses what it forbids, and
answers as it says."""

from __future__ import annotations

import pytest

from tests.app.api.json_calls import UNLIMITED

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.settings(**UNLIMITED),
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
]
