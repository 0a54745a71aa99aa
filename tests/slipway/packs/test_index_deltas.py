"""What stands between two large indexes is as small as what is new in one of them."""

from __future__ import annotations

import pytest

from slipway.packs.format.index_transfer import compress_index, decompress_index, reference_to
from tests.slipway.packs.trees import noise


@pytest.mark.parametrize("chunks", [20_000, 50_000, 100_000, 200_000])
def test_a_delta_has_little_more_than_the_new_hashes(chunks: int) -> None:
    """zstd finds nothing when its tables are too small for the older index."""
    old, new = noise(32 * chunks), noise(32 * 100, 1)
    encoded = new + old
    delta = compress_index(encoded, old)
    assert len(new) < len(delta) < 2 * len(new)
    assert decompress_index(delta, reference_to(encoded), old) == encoded
