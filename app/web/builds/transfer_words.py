"""The copy for what transfers cost: of a build for servers that have the live one, of a copy, and in all."""

from __future__ import annotations

from app.fleet.costs.transfer_costs import TransferCost
from app.web.frame.formats import format_size


def update_words(cost: TransferCost | None, cached_on: int, servers: int) -> tuple[str, str]:
    """(bytes, where it is cached) of a build for each server that has the live build: `1.4 MiB`, or `cached on 5 of 6`.
    Empty for the live build. `cost`: None without a live build, and while the update is being prepared."""
    if cost is not None and cost.way == "none":  # the live build
        return "", ""
    if cached_on:
        return "", f"cached on {cached_on} of {servers}"
    return (format_size(cost.bytes) if cost else ""), ""


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
