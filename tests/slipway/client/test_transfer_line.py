"""What servers fetch for a release, in one line."""

from __future__ import annotations

import pytest

from slipway.client.transfer_line import transfer_line

ARCHIVE = 112_000_000


@pytest.mark.parametrize(
    ("amounts", "line"),
    [
        ([54_000] * 3, "3 servers, 54 kB each instead of 112 MB"),
        ([54_000], "1 server, 54 kB instead of 112 MB"),
        ([54_000, 2_900_000, 54_000], "3 servers, up to 2.9 MB each instead of 112 MB"),
        ([ARCHIVE, ARCHIVE], "2 servers, 112 MB each"),
        ([1_300_000] * 3 + [ARCHIVE], "4 servers, 116 MB in all instead of 448 MB"),
        # A pack may be a little larger or smaller than its archive.
        ([1_300_000] * 3 + [ARCHIVE + 100_000], "4 servers, 116 MB in all instead of 448 MB"),
        ([1_300_000] * 3 + [ARCHIVE - 100_000], "4 servers, 116 MB in all instead of 448 MB"),
        ([ARCHIVE - 100_000], "1 server, 112 MB"),
    ],
)
def test_the_line_names_what_each_server_fetches(amounts: list[int], line: str) -> None:
    assert transfer_line(amounts, ARCHIVE, preparing=False) == line


def test_a_size_that_is_not_known_yet_is_at_most_the_archive() -> None:
    assert transfer_line([ARCHIVE], ARCHIVE, preparing=True) == "1 server, at most 112 MB"
    assert transfer_line([54_000, ARCHIVE], ARCHIVE, preparing=True) == (
        "2 servers, at most 112 MB in all instead of 224 MB"
    )
