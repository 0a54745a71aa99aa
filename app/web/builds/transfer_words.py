"""The copy for what transfers cost: of a build for servers that have the live one, of a copy, and in all."""

from __future__ import annotations

from app.web.frame.formats import format_size, lower_first


def kept_words(cached_on: int, servers: int) -> str:
    """What servers fetch of a build that these still have: `0 B on 5 of 6`, or `0 B` if all have it."""
    return format_size(0) if cached_on >= servers else f"{format_size(0)} on {cached_on} of {servers}"


def cached_words(cached_on: int, servers: int) -> str:
    """On how many servers a build is cached: `5 of 6`, or "" if on none."""
    return f"{cached_on} of {servers}" if cached_on else ""


def source_words(source: str | None, from_build: int | None, fallback: str | None) -> str:
    """How the bytes of a copy come to a server: `Update from build 13`, or `The archive, because …`."""
    if fallback:
        return f"The archive, because {lower_first(fallback)}"
    if source == "update":
        return f"Update from build {from_build}"
    return {"pack": "The pack", "archive": "The archive"}.get(source or "", "")


def sent_words(sent: int, saved: int) -> str:
    """`54 KiB; 112 MiB saved`: what servers fetched, and what archives would have taken more."""
    return f"{format_size(sent)}; {format_size(saved)} saved by updates" if saved else format_size(sent)
