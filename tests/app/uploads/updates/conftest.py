"""Who sends update files in these tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.uploads.resumable.conftest import sender as sender
from tests.app.uploads.resumable.conftest import stranger as stranger
from tests.app.uploads.resumable.sending import Sender
from tests.app.uploads.updates.packed_bases import PackedBase, published_base


@pytest.fixture
def base(sender: Sender, tmp_path: Path) -> PackedBase:
    """The game's first build, which has a pack."""
    return published_base(sender, tmp_path / "base")
