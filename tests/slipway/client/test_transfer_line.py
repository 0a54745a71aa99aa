"""What servers fetch for a release, in one line."""

from __future__ import annotations

import pytest

from slipway.client.transfer_line import transfer_line

ARCHIVE = 112_000_000


@pytest.mark.parametrize(
    ("amounts", "line"),
    [
        ([54_000] * 3, "3 servers, 53 KiB each instead of 107 MiB"),
        ([54_000], "1 server, 53 KiB instead of 107 MiB"),
        ([54_000, 2_900_000, 54_000], "3 servers, up to 2.8 MiB each instead of 107 MiB"),
        ([ARCHIVE, ARCHIVE], "2 servers, 107 MiB each"),
        ([1_300_000] * 3 + [ARCHIVE], "4 servers, 111 MiB in all instead of 427 MiB"),
        # A pack may be a little larger or smaller than its archive.
        ([1_300_000] * 3 + [ARCHIVE + 100_000], "4 servers, 111 MiB in all instead of 427 MiB"),
        ([1_300_000] * 3 + [ARCHIVE - 100_000], "4 servers, 110 MiB in all instead of 427 MiB"),
        ([ARCHIVE - 100_000], "1 server, 107 MiB"),
    ],
)
def test_the_line_names_what_each_server_fetches(amounts: list[int], line: str) -> None:
    assert transfer_line(amounts, ARCHIVE, preparing=False) == line


def test_a_size_that_is_not_known_yet_is_at_most_the_archive() -> None:
    assert transfer_line([ARCHIVE], ARCHIVE, preparing=True) == "1 server, at most 107 MiB"
    assert transfer_line([54_000, ARCHIVE], ARCHIVE, preparing=True) == (
        "2 servers, at most 107 MiB in all instead of 214 MiB"
    )
