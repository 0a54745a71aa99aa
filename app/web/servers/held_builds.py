"""The builds of one server as rows of a table, for operators and for partners."""

from __future__ import annotations

from dataclasses import dataclass

from app.fleet.build_states import SHOWN_RETRIES
from app.fleet.server_builds import ServerBuild
from app.images.shown_images import ShownImage
from app.web.builds.build_words import STATES, short_reason
from app.web.builds.transfer_words import source_words
from app.web.frame.formats import (
    NO_BREAK_SPACE,
    Moment,
    Phrase,
    format_part,
    format_rate,
    format_size,
    percent,
    upper_first,
)
from app.web.frame.image_tags import Picture, game_thumbnail


@dataclass(frozen=True)
class BuildLine:
    """One build on the server. `url`: of its attempts. `partner`: its name, or "" for members of it. `second`: the
    details of a failure, or why the archive was used although there is a pack, or ""."""

    key: str
    url: str
    cover: Picture | None
    game: str
    partner: str
    build: int
    live: bool
    icon: str
    words: Phrase
    on_disk: str
    sessions: int
    second: str


def build_line(held: ServerBuild, cover: ShownImage | None, url: str, partner: str, paused: bool) -> BuildLine:
    """A row. `paused`: an operator paused the server's downloads."""
    icon, words = _build_state(held, paused)
    if held.before in {"cached", "removing"}:
        on_disk = format_size(held.bytes_unpacked)
    elif held.bytes_done and held.before != "verifying":
        on_disk = format_part(held.bytes_done, held.bytes_total)
    else:
        on_disk = format_size(held.bytes_total if held.before == "verifying" else 0)
    return BuildLine(
        key=held.key,
        url=url,
        cover=game_thumbnail(cover),
        game=held.game,
        partner=partner,
        build=held.build,
        live=held.live,
        icon=icon,
        words=words,
        on_disk=on_disk,
        sessions=held.sessions,
        second=_second(held),
    )


def _second(held: ServerBuild) -> str:
    reason = held.reason or ""
    if held.state == "failed":  # its state has the reason
        reason = reason.partition(":")[2].strip()
    if held.state in {"retrying", "failed"} and reason:
        return upper_first(reason)
    return source_words(held.source, held.source_build, held.fallback) if held.fallback else ""


def _build_state(held: ServerBuild, paused: bool) -> tuple[str, Phrase]:
    if held.state == "no_contact":
        # Progress before contact was lost is outdated, but a cached build is probably still cached.
        return "no-contact", ("No contact, was cached" if held.before == "cached" else "No contact",)
    done, reason = percent(held.bytes_done, held.bytes_total), short_reason(held.reason)
    if held.state == "retrying":
        due: Phrase = (" ", Moment(held.retry_at, "until")) if held.retry_at and not paused else ()
        return "retrying", (f"Retrying {held.attempt} of {SHOWN_RETRIES}", *due)
    if held.state == "failed":
        at = f"Failed at {done}{NO_BREAK_SPACE}%" if held.bytes_done else "Failed"
        return "failed", (f"{at}: {reason}" if reason else at,)
    if held.state == "downloading":
        words = f"Downloading {done}{NO_BREAK_SPACE}%"
        return "downloading", (f"{words} · {format_rate(held.bytes_per_second)}" if held.bytes_per_second else words,)
    if held.state == "verifying":
        return "verifying", (f"Verifying {done}{NO_BREAK_SPACE}%",)
    if held.state == "queued":
        since = Moment(held.since, "since")
        return "queued", ("Queued, downloads paused",) if paused else ("Queued since ", since)
    icon, word = STATES[held.state]
    return icon, (f"{word.capitalize()}, kept while there is space" if held.kept else word.capitalize(),)
