"""The text of every server state, from plain values. No HTML, no database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.fleet.build_states import SHOWN_RETRIES
from app.fleet.contact import CONTACT_SECONDS
from app.fleet.overviews.fleet_overview import FleetServer
from app.fleet.overviews.partner_overview import PartnerServer
from app.fleet.overviews.server_totals import Failure, cached_live_builds
from app.web.builds.build_words import Count, short_reason
from app.web.frame.formats import NO_BREAK_SPACE, Moment, Phrase, counted, upper_first

# state -> icon
STATE_ICONS = {
    "failed": "failed",
    "conflict": "warning",
    "no_contact": "no-contact",
    "retrying": "retrying",
    "verifying": "verifying",
    "downloading": "downloading",
    "queued": "queued",
    "not_started": "queued",
    "unwell": "warning",
    "paused": "stopped",
    "up_to_date": "cached",
    "healthy": "cached",
    "nothing": "none",
}
# States that a tab's title shows, worst first.
_TITLES = {
    "failed": "failed",
    "conflict": "with two agents",
    "no_contact": "no contact",
    "retrying": "retrying",
    "unwell": "unwell",
}

# State -> look of its label. The others have none.
_TONES = {"failed": "bad", "conflict": "bad", "retrying": "warn", "paused": "warn"}

# One label has one number for all readers: operators count the games of all partners, a partner their own.
LIVE_BUILDS, YOUR_LIVE_BUILDS = "Live builds cached", "Your live builds cached"

# (label, number, unit): `Sending now`, `84.6`, `MiB/s`.
Figure = tuple[str, str, str]


@dataclass(frozen=True)
class StateChip:
    """A label beside the title of a page. `tone`: bad, warn or "" (none)."""

    icon: str
    words: Phrase
    tone: str

    @classmethod
    def of(cls, state: str, words: Phrase) -> StateChip:
        return cls(STATE_ICONS[state], words, _TONES.get(state, ""))


@dataclass(frozen=True)
class FailingBuild:
    """The build that a server's failure is about: where its page is, its words, and the reason that the state does not
    have beside it."""

    slug: str
    number: int
    words: str
    reason: str

    @classmethod
    def of(cls, failure: Failure) -> FailingBuild:
        reason = short_reason(failure.reason) if failure.retrying else ""
        return cls(failure.slug, failure.build, f"{failure.game}, build {failure.build}", reason)


def figure(label: str, amount: str) -> Figure:
    """A figure from an amount with its unit after a no-break space."""
    number, _, unit = amount.partition(NO_BREAK_SPACE)
    return label, number, unit


def cached_words(server: FleetServer | PartnerServer) -> str:
    """How many live builds are cached on a server: `2 of 4`. "" if nobody can tell, or no build is live."""
    cached = cached_live_builds(server)
    return "" if cached is None else f"{cached:,} of {server.tally.builds:,}"


def partner_state(server: PartnerServer) -> Phrase:
    """The state of a partner's builds on one server."""
    if server.failure:
        failed = f"Failed: {short_reason(server.failure.reason)}".removesuffix(": ")
        return _failing(server.failure, failed, paused=server.paused)
    if server.state == "no_contact" and server.reported_at:
        return ("No contact since ", Moment(server.reported_at, "since"))
    if server.state == "downloading":
        return (f"Downloading {server.tally.percent}{NO_BREAK_SPACE}%",)
    if server.state == "queued" and server.tally.queued_since and not server.paused:
        return ("Queued since ", Moment(server.tally.queued_since, "since"))
    words = {
        "verifying": "Verifying",
        "queued": "Queued, downloads paused" if server.paused else "Queued",
        "not_started": "Not started yet",
        "up_to_date": "Up to date",
    }
    return (words.get(server.state, "No live build yet"),)


def partner_chips(server: PartnerServer) -> list[StateChip]:
    """The labels beside the title: the state, and each trouble that it does not name."""
    chips = [StateChip.of(server.state, partner_state(server)), *_more_failures(server.failure)]
    if server.paused_at and server.state != "queued":  # which names it
        chips.append(StateChip.of("paused", ("Downloads paused since ", Moment(server.paused_at, "since"))))
    return chips


def fleet_chips(server: FleetServer) -> list[StateChip]:
    """The labels beside the title, one per trouble, for operators."""
    chips = [StateChip.of(state, _fleet_words(server, state, since)) for state, since in server.states]
    return [chips[0], *_more_failures(server.failure), *chips[1:]]


def _more_failures(failure: Failure | None) -> list[StateChip]:
    if failure is None or not failure.others:
        return []
    return [StateChip.of("failed", (f"{counted(failure.others, 'more build')} failed",))]


def fleet_state(server: FleetServer) -> Phrase:
    """The worst state of one server, for operators."""
    return _fleet_words(server, server.state, server.since)


def _fleet_words(server: FleetServer, state: str, began_at: datetime | None) -> Phrase:
    since = Moment(began_at, "since") if began_at else None
    if state in {"failed", "retrying"} and server.failure:
        reason = short_reason(server.failure.reason) or "failed"
        found = _failing(server.failure, upper_first(reason), paused=server.paused_at is not None)
        return (*found, " since ", since) if since and state == "failed" else found
    if state == "no_contact" and since:
        return ("No contact since ", since)
    if state == "paused" and since:
        return ("Downloads paused since ", since)
    words = {
        "conflict": "Two agents use its token",
        "unwell": "Its agent reports an error",
        "not_started": "Waiting for its agent",
    }
    return (words.get(state, "Healthy"),)


def _failing(failure: Failure, failed: str, *, paused: bool) -> Phrase:
    if not failure.retrying:
        return (failed,)
    if paused:
        return (f"Retrying {failure.attempt} of {SHOWN_RETRIES}",)
    due: Phrase = (Moment(failure.retry_at, "until"),) if failure.retry_at else ("now",)
    return (f"Retrying {failure.attempt} of {SHOWN_RETRIES} ", *due)


def partner_counts(found: Counter[str]) -> list[Count]:
    """`1 failed`, `1 no contact`, `3 up to date or arriving`."""
    arriving = found["verifying"] + found["downloading"] + found["queued"]
    fine = found["up_to_date"] + arriving
    each = [
        Count("failed", f"{found['failed']} failed", bad=True),
        Count("no-contact", f"{found['no_contact']} no contact", bad=False),
        Count("retrying", f"{found['retrying']} retrying", bad=False),
        Count("queued", f"{found['not_started']} not started yet", bad=False),
        Count("cached", f"{fine} {'up to date or arriving' if arriving else 'up to date'}", bad=False),
    ]
    return [count for count in each if not count.text.startswith("0 ")]


def fleet_counts(servers: Sequence[FleetServer], found: Counter[str]) -> list[Count]:
    """`1 disk full`, `1 no contact`, `3 healthy`. Failures are counted by reason."""
    reasons = Counter(
        short_reason(server.failure.reason) or "failed"
        for server in servers
        if server.state == "failed" and server.failure
    )
    each = [Count("failed", f"{count} {reason}", bad=True) for reason, count in sorted(reasons.items())]
    words = {
        "conflict": "with two agents",
        "no_contact": "no contact",
        "retrying": "retrying",
        "unwell": "with an error",
        "paused": "paused",
        "not_started": "waiting for its agent" if found["not_started"] == 1 else "waiting for their agents",
        "healthy": "healthy",
    }
    each += [
        Count(STATE_ICONS[state], f"{found[state]} {text}", bad=state == "conflict")
        for state, text in words.items()
        if found[state]
    ]
    return each


def tab_title(name: str, found: Counter[str]) -> str:
    """A tab's title, worst state first: `(1 failed) Servers · Slipway`."""
    worst = next((state for state in _TITLES if found[state]), None)
    return f"({found[worst]} {_TITLES[worst]}) {name} · Slipway" if worst else f"{name} · Slipway"


def minutes_without_contact(reported_at: datetime | None, contact: bool, at: datetime) -> int | None:
    """Minutes since the last report, None while there is contact. 60 for a server that never reported."""
    if contact:
        return None
    return int((at - reported_at).total_seconds() // 60) if reported_at else 60


def next_change_at(reported: Iterable[datetime | None], at: datetime) -> datetime:
    """When the page changes without a report: a server loses contact, or a minute has passed."""
    lifetime = timedelta(seconds=CONTACT_SECONDS, milliseconds=100)
    ends = [moment + lifetime for moment in reported if moment and at - moment <= lifetime]
    return min([*ends, at.replace(second=0, microsecond=0) + timedelta(minutes=1)])
