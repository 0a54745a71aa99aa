"""What servers fetch for a release, in one line that the command and the dashboard share."""

from __future__ import annotations

from collections.abc import Sequence

from slipway.client.sizes import format_size


def transfer_line(amounts: Sequence[int], archive: int, *, preparing: bool, space: str = " ") -> str:
    """`3 servers, 54 KiB each instead of 112 MiB`, or `3 servers, up to 2.9 MiB each instead of 112 MiB`. Where one of
    them fetches the complete build, all are added up: `3 servers, 115 MiB in all instead of 336 MiB`.

    `amounts`: the bytes that each server fetches, those that fetch nothing left out. `archive`: the bytes of the
    build's archive. `preparing`: an update's size is not known yet. `space` stands before units.
    """
    count, most = len(amounts), max(amounts)
    differ = min(amounts) != most
    bound = "at most " if preparing else "up to " if differ else ""
    each = " each" if count > 1 else ""
    if differ and not _is_less(most, archive):
        bound, each, most, archive = "at most " if preparing else "", " in all", sum(amounts), count * archive
    instead = f" instead of {format_size(archive, space)}" if _is_less(most, archive) else ""
    return f"{count:,} server{'' if count == 1 else 's'}, {bound}{format_size(most, space)}{each}{instead}"


def _is_less(amount: int, archive: int) -> bool:
    """Whether it also looks like less."""
    return amount < archive and format_size(amount) != format_size(archive)
