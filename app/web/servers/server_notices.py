"""What is wrong with a server, and why it is behind: notices for the pages of operators and of partners."""

from __future__ import annotations

from dataclasses import dataclass

from app.fleet.overviews.fleet_overview import FleetServer
from app.fleet.overviews.partner_overview import PartnerServer
from app.fleet.overviews.server_totals import Failure, Tally
from app.web.builds.build_words import short_reason
from app.web.frame.formats import Moment, Phrase, counted, format_duration, format_rate, format_size, upper_first

IDLE = "Nothing is being downloaded: its agent has not begun, or an update is being prepared."
OTHERS_FIRST = "Builds of other games are sent first."


@dataclass(frozen=True)
class Notice:
    """A problem, and what to do about it. `action` is that of its button: "retry", "token" or ""."""

    tone: str
    icon: str
    title: Phrase
    body: Phrase
    action: str = ""


def partner_notices(server: PartnerServer, others_first: bool) -> list[Notice]:
    """What a partner reads about one server, worst first. Empty if it has all their live builds. `others_first`: it
    downloads builds of other partners now."""
    advice = "Operators of the platform see this too. "
    found = [failure_notice(server.failure, advice, paused=server.paused)] if server.failure else []
    if server.state == "no_contact" and server.reported_at:
        body = (
            "The state of your builds there is unknown until it reports again. It then continues automatically. You do "
            "not need to do anything."
        )
        title: Phrase = ("No contact since ", Moment(server.reported_at, "since"))
        found.append(Notice("", "no-contact", title, (body,)))
    if server.state == "not_started":
        body = "It has never reported. When its agent starts, it fetches all live builds."
        found.append(Notice("", "queued", ("Not started yet",), (body,)))
    if server.paused_at:
        found.append(paused_notice(server))
    elif is_behind(server):
        found.append(behind_notice(server.tally, server.bytes_per_second, OTHERS_FIRST if others_first else IDLE))
    return found


def failure_notice(failure: Failure, advice: str, action: str = "", *, paused: bool) -> Notice:
    """The worst failure of a server. `advice`: sentences that end with a space, or "". `paused`: an operator paused its
    downloads, and it retries nothing."""
    reason, detail = short_reason(failure.reason) or "failed", (failure.reason or "").partition(":")[2]
    body: list[str | Moment] = [f"{detail.strip().removesuffix('.')}. "] if detail.strip() else []
    body.append(advice)
    if failure.others:
        body.append(f"{counted(failure.others, 'more build')} failed too. ")
    if paused:
        body.append("It retries when the downloads are resumed.")
    elif failure.retry_at:
        body += ["The next retry is due ", Moment(failure.retry_at, "until"), "."]
    else:
        body.append("It retries automatically, at increasing intervals.")
    tone, icon = ("warn", "retrying") if failure.retrying else ("bad", "failed")
    title = f"{upper_first(reason)}: build {failure.build} of {failure.game}"
    return Notice(tone, icon, (title,), tuple(body), action)


def paused_notice(server: FleetServer | PartnerServer) -> Notice:
    """Of a server whose downloads an operator paused."""
    title: Phrase = ("Downloads are paused since ", Moment(server.paused_at, "since")) if server.paused_at else ()
    waiting = server.tally.builds - server.tally.cached if server.contact else 0
    queued = f" {counted(waiting, 'live build')} {'is' if waiting == 1 else 'are'} queued." if waiting else ""
    return Notice("warn", "stopped", title, (f"Cached builds stay playable.{queued}",))


def is_behind(server: FleetServer | PartnerServer) -> bool:
    """Whether a server still has to fetch live builds. False without contact, and for builds that failed."""
    tally = server.tally
    return server.contact and tally.cached + tally.failed < tally.builds


def behind_notice(tally: Tally, bytes_per_second: int, idle: str = IDLE) -> Notice:
    """Why a server is behind: which live builds it still misses, what it does about it, and how long that takes.
    `idle`: why nothing of them is on its way."""
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
        if bytes_per_second:
            left = format_duration(tally.bytes_to_fetch / bytes_per_second)
            body.append(f", about {left} at {format_rate(bytes_per_second)}")
        body.append(". ")
    if tally.queued_since:
        why = "" if tally.downloading or tally.verifying else f" {idle}"
        body += ["The oldest queued build waits since ", Moment(tally.queued_since, "since"), f".{why}"]
    of_all = counted(tally.builds, "live build")
    title = f"Behind: {missing} of {of_all} {'is' if missing == 1 else 'are'} not cached yet"
    return Notice("", "downloading", (title,), tuple(body))
