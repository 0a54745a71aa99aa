"""One server in full: what is wrong and what to do, what it holds, the facts, and what can be done with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Flask

from app.data.models.base import now
from app.fleet.fleet_overview import FleetServer
from app.fleet.rollout_states import SHOWN_RETRIES
from app.fleet.server_builds import ServerBuild, server_builds
from app.web.builds.build_words import short_reason
from app.web.frame.formats import SPACE, Moment, Text, counted, percent, rate, size
from app.web.live.live_parts import Part, part
from app.web.live.sparkline import Sparkline, sparkline
from app.web.servers import server_words

SHOWN_BELOW, SHOWN_ALONE = 20, 200  # builds, in the list of servers and on the server's own page

# phase -> (icon, words)
_HOLDS = {
    "evicting": ("removing", "Removing"),
    "cached": ("cached", "Cached"),
}


@dataclass(frozen=True)
class Notice:
    """What an operator should know of the server. `action` is what a button offers: "retry", "token" or ""."""

    tone: str
    icon: str
    title: Text
    body: Text
    action: str = ""


@dataclass(frozen=True)
class Line:
    """One build on the server."""

    key: str
    game: str
    partner: str
    build: int
    live: bool
    icon: str
    words: Text
    bad: bool
    on_disk: str
    sessions: int


@dataclass(frozen=True)
class Opened:
    """Everything live about one server, as plain values."""

    id: str
    region: str
    paused: bool
    alone: bool
    notices: Sequence[Notice]
    lines: Sequence[Line]
    note: str
    facts: Sequence[tuple[str, Text]]
    last_hour: Sparkline
    now: str
    token_hint: str


def opened_parts(app: Flask, server: FleetServer, *, alone: bool) -> tuple[Part, Part]:
    """What it holds, and its facts; the same elements below the list of servers and on a page of their own."""
    view = _opened(server, alone)
    return (
        part(app, "opened-builds", "operator/servers/_server_builds.html", view=view),
        part(app, "opened-facts", "operator/servers/_server_facts.html", view=view),
    )


def _opened(server: FleetServer, alone: bool) -> Opened:
    most = SHOWN_ALONE if alone else SHOWN_BELOW
    held = server_builds(server.id, most)
    silent = server_words.silent_minutes(server.reported_at, server.contact, now())
    return Opened(
        id=server.id,
        region=server.region,
        paused=server.paused_at is not None,
        alone=alone,
        notices=_notices(server),
        lines=[_line(server, each) for each in held.shown],
        note=f"{len(held.shown):,} of {held.count:,}, worst first" if held.count > most else "",
        facts=_facts(server, alone),
        last_hour=sparkline(server.last_hour, silent),
        now=rate(server.bytes_per_second) if server.contact else "",
        token_hint=server.token_hint,
    )


def _notices(server: FleetServer) -> list[Notice]:
    """Worst first; nothing for a server that is well."""
    found = [_failure(server)] if server.failure else []
    if server.conflict_at:
        found.append(
            Notice(
                "bad",
                "warning",
                (f"Two agents use the token of {server.id}",),
                (
                    "The first is believed; the other was refused ",
                    Moment(server.conflict_at, "within"),
                    ". Stop the one that should not run, or roll the token and give the new one to the machine that "
                    f"is to be {server.id}.",
                ),
                "token",
            )
        )
    if server.state == "no_contact" and server.reported_at:
        title: Text = ("No contact since ", Moment(server.reported_at, "since"))
        body = (
            "What it does is not known until it reports again; it goes on by itself. See whether the machine runs, and "
            "whether it reaches this address."
        )
        found.append(Notice("", "no-contact", title, (body,)))
    if server.state == "not_started":
        body = (
            "Nothing has reported with its token yet. The command that starts its agent was shown with the token; roll "
            "the token to see it again."
        )
        found.append(Notice("", "queued", ("Waiting for its agent",), (body,), "token"))
    if server.state == "unwell":
        body = (
            "At its last report it could not read its cache directory, or one of its threads keeps ending. Read the "
            f"agent's log on {server.id}."
        )
        found.append(Notice("bad", "warning", ("Its agent reports an error",), (body,)))
    if server.paused_at:
        title = ("Downloads are paused since ", Moment(server.paused_at, "since"))
        waiting = server.tally.builds - server.tally.cached
        waits = f" {counted(waiting, 'build')} {'waits' if waiting == 1 else 'wait'} for them." if waiting else ""
        found.append(Notice("warn", "stopped", title, (f"What it has cached stays, and is played.{waits}",)))
    return found


def _failure(server: FleetServer) -> Notice:
    failure = server.failure
    if failure is None:
        raise ValueError(f"nothing failed on {server.id}")
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
        body += ["The next try is due ", Moment(failure.retry_at, "until"), "."]
    else:
        body.append("It tries again by itself, at longer and longer intervals.")
    tone, icon = ("warn", "retrying") if failure.retrying else ("bad", "failed")
    return Notice(tone, icon, (title,), tuple(body), "" if server.paused_at else "retry")


def _line(server: FleetServer, held: ServerBuild) -> Line:
    icon, words = _holds(held, server.paused_at is not None)
    if held.phase in {"cached", "evicting"}:
        on_disk = size(held.bytes_unpacked)
    elif held.bytes_done and held.phase != "verifying":
        on_disk = server_words.share(held.bytes_done, held.bytes_total)
    else:
        on_disk = size(held.bytes_total if held.phase == "verifying" else 0)
    return Line(
        key=held.key,
        game=held.game,
        partner=held.partner,
        build=held.build,
        live=held.live,
        icon=icon,
        words=words,
        bad=icon == "failed",
        on_disk=on_disk,
        sessions=held.sessions,
    )


def _holds(held: ServerBuild, paused: bool) -> tuple[str, Text]:
    done = percent(held.bytes_done, held.bytes_total)
    if held.phase == "failed":
        reason = short_reason(held.reason)
        if held.retrying:
            due: Text = (" ", Moment(held.retry_at, "until")) if held.retry_at else ()
            return "retrying", (f"Retrying {held.attempt} of {SHOWN_RETRIES}", *due)
        at = f"Held at {done}{SPACE}%" if held.bytes_done else "Failed"
        return "failed", (f"{at}: {reason}" if reason else at,)
    if held.phase == "downloading":
        words = f"Downloading {done}{SPACE}%"
        return "downloading", (f"{words} · {rate(held.bytes_per_second)}" if held.bytes_per_second else words,)
    if held.phase == "verifying":
        return "verifying", (f"Verifying {done}{SPACE}%",)
    if held.phase == "pending":
        since = Moment(held.since, "since")
        return "queued", ("Queued, downloads paused",) if paused else ("Queued since ", since)
    icon, word = _HOLDS[held.phase]
    return icon, (word,)


def _facts(server: FleetServer, alone: bool) -> list[tuple[str, Text]]:
    """(label, value). What is only known while there is contact is "—" without."""

    def known(value: float | None) -> Text:
        return (f"{value:.1f}{SPACE}%",) if server.contact and value is not None else ("—",)

    facts: list[tuple[str, Text]] = [
        ("Reported", (Moment(server.reported_at, "moment"),) if server.reported_at else ("Never",))
    ]
    if server.since:
        facts.append(("State since", (Moment(server.since, "moment"),)))
    if alone and server.disk_total:
        facts.append(("Disk", (server_words.share(server.disk_used, server.disk_total, 2),)))
        facts.append(("Builds cached", (f"{server.tally.cached} of {server.tally.builds}",)))
        facts.append(("Sessions", (f"{server.sessions}" if server.contact else "—",)))
    facts.append(("CPU", known(server.cpu_percent)))
    facts.append(("Memory", known(server.memory_percent)))
    facts.append(("Agent", (server.agent_version or "—",)))
    facts.append(("Joined", (Moment(server.joined_at, "day"),)))
    return facts
