"""The banners above a partner's lists: servers where a live build fails, and servers without contact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import Flask

from app.fleet.overviews.partner_problems import PartnerProblems
from app.fleet.overviews.server_totals import Failure
from app.web.builds.build_words import short_reason
from app.web.frame.formats import Moment, Phrase, counted, some_names
from app.web.live.live_parts import Part, render_part

MAX_LINES = 5


@dataclass(frozen=True)
class Banner:
    """`body`: what happens next, or "". `lines`: (id of a server, what fails there). `more`: how many other servers
    have no line."""

    tone: str
    icon: str
    title: Phrase
    body: str = ""
    lines: Sequence[tuple[str, str]] = ()
    more: int = 0


def banners_part(app: Flask, problems: PartnerProblems) -> Part:
    """The live part, empty without problems."""
    found = (_failing(problems.failing), _silent(problems.silent, problems.in_contact))
    return render_part(app, "servers-banner", "servers/_problem_banners.html", banners=[each for each in found if each])


def _failing(failing: Sequence[tuple[str, Failure]]) -> Banner | None:
    if not failing:
        return None
    where = failing[0][0] if len(failing) == 1 else f"{len(failing):,} servers"
    one = sum(1 + failure.others for _, failure in failing) == 1
    what, retried = ("A live build fails", "is") if one else ("Live builds fail", "are")
    return Banner(
        tone="bad",
        icon="failed",
        title=(f"{what} on {where} and {retried} retried automatically",),
        lines=[(server_id, _failure_words(failure)) for server_id, failure in failing[:MAX_LINES]],
        more=max(0, len(failing) - MAX_LINES),
    )


def _failure_words(failure: Failure) -> str:
    """`The Garden of Forking Paths, build 4: disk full; 2 more builds failed too`."""
    words = f"{failure.game}, build {failure.build}: {short_reason(failure.reason) or 'failed'}"
    return f"{words}; {counted(failure.others, 'more build')} failed too" if failure.others else words


def _silent(silent: Sequence[tuple[str, datetime]], in_contact: int) -> Banner | None:
    if not silent:
        return None
    first, since = silent[0]
    if len(silent) == 1:
        title: Phrase = (f"No contact with {first} since ", Moment(since, "since"))
        continues = f"{first} continues automatically when it reports"
    else:
        names = some_names([server_id for server_id, _ in silent], len(silent))
        title = (f"No contact with {len(silent)} servers: {names}",)
        continues = "The silent servers continue automatically when they report"
    if not in_contact:
        body = f"{continues} again. Their cached builds stay there. Operators of the platform see this too."
    else:
        to = "the other server" if in_contact == 1 else f"the other {counted(in_contact, 'server')}"
        body = f"Players are sent to {to}. {continues} again. You do not need to do anything."
    return Banner("", "no-contact", title, body)
