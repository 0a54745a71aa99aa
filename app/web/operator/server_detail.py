"""The details of one server: notices, its builds, facts, and actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Flask

from app.data.models.base import now
from app.fleet.build_states import SHOWN_RETRIES
from app.fleet.overviews.fleet_overview import FleetServer
from app.fleet.server_builds import ServerBuild, server_builds
from app.images.game_pictures import covers_of
from app.images.shown_images import ShownImage
from app.web.builds.build_words import STATES, short_reason
from app.web.builds.transfer_words import source_words
from app.web.frame.formats import (
    NO_BREAK_SPACE,
    Copyable,
    Fact,
    Moment,
    Phrase,
    counted,
    format_duration,
    format_part,
    format_rate,
    format_size,
    percent,
)
from app.web.frame.image_tags import Picture, game_thumbnail
from app.web.live.live_parts import Part, render_part
from app.web.live.sparkline import Sparkline, sparkline
from app.web.servers import server_words

MAX_BUILDS_BELOW_LIST, MAX_BUILDS_ON_OWN_PAGE = (
    20,
    200,
)  # builds below the list of servers, and on the server's own page


@dataclass(frozen=True)
class Notice:
    """A problem, and what to do about it. `action` is that of its button: "retry", "token" or ""."""

    tone: str
    icon: str
    title: Phrase
    body: Phrase
    action: str = ""


@dataclass(frozen=True)
class BuildLine:
    """One build on the server."""

    key: str
    cover: Picture | None
    game: str
    partner: str
    build: int
    live: bool
    icon: str
    words: Phrase
    bad: bool
    on_disk: str
    sessions: int
    second: str  # why the archive was used although there is a pack, or ""


@dataclass(frozen=True)
class ServerDetail:
    """The live values of one server."""

    id: str
    region: str
    paused: bool
    own_page: bool
    notices: Sequence[Notice]
    lines: Sequence[BuildLine]
    note: str
    facts: Sequence[Fact]
    last_hour: Sparkline | None  # only on its own page
    now: str
    token_hint: str
    here: str  # the list that the page of an action returns to, or ""


def detail_parts(app: Flask, server: FleetServer, here: str = "") -> tuple[Part, Part]:
    """The builds and facts of a server: for the list of servers at the address `here`, or for the server's own
    page."""
    view = _detail(server, here)
    return (
        render_part(app, "opened-builds", "operator/servers/_server_builds.html", view=view),
        render_part(app, "opened-facts", "operator/servers/_server_facts.html", view=view),
    )


def _detail(server: FleetServer, here: str) -> ServerDetail:
    own_page = not here
    maximum = MAX_BUILDS_ON_OWN_PAGE if own_page else MAX_BUILDS_BELOW_LIST
    held = server_builds(server.id, maximum)
    covers = covers_of({each.game_id for each in held.shown})
    silent = server_words.minutes_without_contact(server.reported_at, server.contact, now())
    return ServerDetail(
        id=server.id,
        region=server.region,
        paused=server.paused_at is not None,
        own_page=own_page,
        notices=_notices(server),
        lines=[_line(server, each, covers.get(each.game_id)) for each in held.shown],
        note=f"{len(held.shown):,} of {held.count:,}, worst first" if held.count > maximum else "",
        facts=_facts(server, own_page),
        last_hour=sparkline(server.last_hour, silent) if own_page else None,
        now=format_rate(server.bytes_per_second) if server.contact else "",
        token_hint=server.token_hint,
        here=here,
    )


def _notices(server: FleetServer) -> list[Notice]:
    """The notices, worst first. Empty for a healthy server."""
    found = [_failure(server)] if server.failure else []
    if server.conflict_at:
        found.append(
            Notice(
                "bad",
                "warning",
                (f"Two agents use the token of {server.id}",),
                (
                    "Reports of the first agent count. The other was refused ",
                    Moment(server.conflict_at, "within"),
                    ". Stop the wrong agent, or roll the token and install the new one on the machine that should be "
                    f"{server.id}.",
                ),
                "token",
            )
        )
    if server.state == "no_contact" and server.reported_at:
        title: Phrase = ("No contact since ", Moment(server.reported_at, "since"))
        body = (
            "Its state is unknown until it reports again, which it does automatically. Check that the machine is "
            "running and can reach this address."
        )
        found.append(Notice("", "no-contact", title, (body,)))
    if server.state == "not_started":
        body = (
            "No agent has reported with its token yet. The command that starts the agent was shown with the token. "
            "Roll the token to see it again."
        )
        found.append(Notice("", "queued", ("Waiting for its agent",), (body,), "token"))
    if server.state == "unwell":
        body = (
            "In its last report, the agent could not use its cache directory, or one of its threads keeps failing. "
            f"Read the agent's log on {server.id}."
        )
        found.append(Notice("bad", "warning", ("Its agent reports an error",), (body,)))
    if server.paused_at:
        title = ("Downloads are paused since ", Moment(server.paused_at, "since"))
        waiting = server.tally.builds - server.tally.cached
        queued = f" {counted(waiting, 'build')} {'is' if waiting == 1 else 'are'} queued." if waiting else ""
        found.append(Notice("warn", "stopped", title, (f"Cached builds stay playable.{queued}",)))
    elif server.contact and server.tally.cached + server.tally.failed < server.tally.builds:
        found.append(_behind(server))
    return found


def _behind(server: FleetServer) -> Notice:
    """Which builds a server still misses, what it does about it, and how long that takes."""
    tally = server.tally
    missing = tally.builds - tally.cached
    states = (
        f"{count} {word}"
        for count, word in (
            (tally.failed, "failed"),
            (tally.verifying, "verifying"),
            (tally.downloading, "downloading"),
            (tally.queued, "queued"),
        )
        if count
    )
    body: list[str | Moment] = [f"{', '.join(states)}. "]
    if tally.bytes_to_fetch:
        body.append(f"{format_size(tally.bytes_to_fetch)} to fetch")
        if server.bytes_per_second:
            left = format_duration(tally.bytes_to_fetch / server.bytes_per_second)
            body.append(f", about {left} at {format_rate(server.bytes_per_second)}")
        body.append(". ")
    if tally.queued_since:
        moving = tally.downloading or tally.verifying
        why = "" if moving else " Nothing is being downloaded: its agent has not begun, or an update is being prepared."
        body += ["The oldest queued build waits since ", Moment(tally.queued_since, "since"), f".{why}"]
    title = f"Behind: {missing} of {counted(tally.builds, 'build')} {'is' if missing == 1 else 'are'} not cached yet"
    return Notice("", "downloading", (title,), tuple(body))


def _failure(server: FleetServer) -> Notice:
    failure = server.failure
    if failure is None:
        raise ValueError(f"no failure on {server.id}")
    reason, _, detail = (failure.reason or "failed").partition(":")
    title = f"{reason[0].upper()}{reason[1:]}: build {failure.build} of {failure.game}"
    body: list[str | Moment] = []
    if detail:
        body.append(f"{detail.strip().removesuffix('.')}. ")
    if reason == "disk full":
        if server.sessions:
            keep, they = ("keeps", "it runs") if server.sessions == 1 else ("keep", "they run")
            body.append(f"{counted(server.sessions, 'session')} {keep} the builds {they} on. ")
        body.append("Add disk, or end sessions on builds that are not live. ")
    if server.tally.failed > 1:
        more = server.tally.failed - 1
        body.append(f"{counted(more, 'more build')} failed too. ")
    if failure.retry_at:
        body += ["The next retry is due ", Moment(failure.retry_at, "until"), "."]
    else:
        body.append("It retries automatically, at increasing intervals.")
    tone, icon = ("warn", "retrying") if failure.retrying else ("bad", "failed")
    return Notice(tone, icon, (title,), tuple(body), "" if server.paused_at else "retry")


def _line(server: FleetServer, held: ServerBuild, cover: ShownImage | None) -> BuildLine:
    icon, words = _build_state(held, server.paused_at is not None)
    if held.before in {"cached", "removing"}:
        on_disk = format_size(held.bytes_unpacked)
    elif held.bytes_done and held.before != "verifying":
        on_disk = format_part(held.bytes_done, held.bytes_total)
    else:
        on_disk = format_size(held.bytes_total if held.before == "verifying" else 0)
    return BuildLine(
        key=held.key,
        cover=game_thumbnail(cover),
        game=held.game,
        partner=held.partner,
        build=held.build,
        live=held.live,
        icon=icon,
        words=words,
        bad=icon == "failed",
        on_disk=on_disk,
        sessions=held.sessions,
        second=source_words(held.source, held.source_build, held.fallback) if held.fallback else "",
    )


def _build_state(held: ServerBuild, paused: bool) -> tuple[str, Phrase]:
    if held.state == "no_contact":
        # Progress before contact was lost is outdated, but a cached build is probably still cached.
        return "no-contact", ("No contact, was cached" if held.before == "cached" else "No contact",)
    done, reason = percent(held.bytes_done, held.bytes_total), short_reason(held.reason)
    if held.state == "retrying":
        due: Phrase = (" ", Moment(held.retry_at, "until")) if held.retry_at else ()
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
    return icon, (f"{word.capitalize()}, kept for rolling back" if held.kept else word.capitalize(),)


def _facts(server: FleetServer, own_page: bool) -> list[Fact]:
    """(label, value). Without contact, CPU, memory and sessions are "—"."""

    def known(value: float | None) -> Phrase:
        return (f"{value:.1f}{NO_BREAK_SPACE}%",) if server.contact and value is not None else ("—",)

    facts: list[Fact] = [
        ("ID", Copyable(server.id, "id of the server")),
        ("Reported", (Moment(server.reported_at, "moment"),) if server.reported_at else ("Never",)),
    ]
    if server.since:
        facts.append(("State since", (Moment(server.since, "moment"),)))
    if own_page and server.disk_total:
        facts.append(("Disk", (format_part(server.disk_used, server.disk_total, 2),)))
        facts.append(("Builds cached", (f"{server.tally.cached} of {server.tally.builds}",)))
        facts.append(("Sessions", (f"{server.sessions}" if server.contact else "—",)))
    facts.append(("CPU", known(server.cpu_percent)))
    facts.append(("Memory", known(server.memory_percent)))
    facts.append(("Agent", (server.agent_version or "—",)))
    facts.append(("Joined", (Moment(server.joined_at, "day"),)))
    return facts
