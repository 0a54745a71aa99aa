"""The details of one server: notices, its builds, facts, and actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Flask

from app.data.models.base import now
from app.fleet.overviews.fleet_overview import FleetServer
from app.fleet.overviews.server_totals import Failure
from app.fleet.server_builds import ServerBuild, server_builds
from app.images.game_pictures import covers_of
from app.images.shown_images import ShownImage
from app.web.builds.build_words import short_reason
from app.web.frame.formats import NO_BREAK_SPACE, Copyable, Fact, Moment, Phrase, counted, format_part, format_rate
from app.web.live.live_parts import Part, render_part
from app.web.live.sparkline import Sparkline, sparkline
from app.web.servers import server_words
from app.web.servers.held_builds import BuildLine, build_line
from app.web.servers.server_notices import (
    Notice,
    behind_notice,
    failure_notice,
    is_behind,
    paused_notice,
)

MAX_BUILDS_BELOW_LIST, MAX_BUILDS_ON_OWN_PAGE = (
    20,
    200,
)  # builds below the list of servers, and on the server's own page


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
    found = [_failure(server, server.failure)] if server.failure else []
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
            "running and can reach this portal."
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
        found.append(paused_notice(server))
    elif is_behind(server):
        found.append(behind_notice(server.tally, server.bytes_per_second))
    return found


def _failure(server: FleetServer, failure: Failure) -> Notice:
    advice = ""
    if short_reason(failure.reason) == "disk full":
        if server.sessions:
            keep, they = ("keeps", "it runs") if server.sessions == 1 else ("keep", "they run")
            advice = f"{counted(server.sessions, 'session')} {keep} the builds {they} on. "
        advice += "Add disk, or end sessions on builds that are not live. "
    paused = server.paused_at is not None
    return failure_notice(failure, advice, "" if paused else "retry", paused=paused)


def _line(server: FleetServer, held: ServerBuild, cover: ShownImage | None) -> BuildLine:
    url = f"/operator/servers/{server.id}/builds/{held.key}"
    return build_line(held, cover, url, held.partner, server.paused_at is not None)


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
    if own_page:
        disk = format_part(server.disk_used, server.disk_total, 2) if server.disk_total else "—"
        facts.append(("Disk", (disk,)))
        facts.append((server_words.LIVE_BUILDS, (server_words.cached_words(server) or "—",)))
        facts.append(("Sessions", (f"{server.sessions}" if server.contact else "—",)))
    facts.append(("CPU", known(server.cpu_percent)))
    facts.append(("Memory", known(server.memory_percent)))
    facts.append(("Agent", (server.agent_version or "—",)))
    facts.append(("Joined", (Moment(server.joined_at, "day"),)))
    return facts
