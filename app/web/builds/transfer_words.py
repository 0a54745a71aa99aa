"""The copy for what transfers cost: of a build for servers that have the live one, of a copy, and in all."""

from __future__ import annotations

from app.fleet.costs.transfer_costs import TransferCost
from app.web.frame.formats import format_size


def update_words(cost: TransferCost) -> str:
    """What a server that has the live build fetches: `1.4 MiB`, or "" for the live build itself."""
    return "" if cost.way == "none" else format_size(cost.bytes)


def cached_words(cached_on: int, servers: int) -> str:
    """On how many servers a build is cached: `5 of 6`, or "" if on none."""
    return f"{cached_on} of {servers}" if cached_on else ""


def source_words(source: str | None, from_build: int | None, fallback: str | None) -> str:
    """How the bytes of a copy come to a server: `Update from build 13`, or `The archive, because …`."""
    if fallback:
        return f"The archive, because {fallback[0].lower()}{fallback[1:]}"
    if source == "update":
        return f"Update from build {from_build}"
    return {"pack": "The pack", "archive": "The archive"}.get(source or "", "")


def sent_words(sent: int, saved: int) -> str:
    """`54 KiB; 112 MiB saved`: what servers fetched, and what archives would have taken more."""
    return f"{format_size(sent)}; {format_size(saved)} saved by updates" if saved else format_size(sent)
