"""The copy for states of builds and servers, from plain values. No HTML, no database.

A state is an icon, a word and a number. While a retry is due the word is never "Failed". A server without contact has
no percentage. "Reported 8 s ago" (the last report) and "since 10:02" (the start of the state) are two facts."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime

from app.data.models.game import Build, Game
from app.fleet.build_states import SHOWN_RETRIES
from app.fleet.rollout_states import SEVERITY, Cell, Matrix, MatrixRow, MatrixServer, Summary
from app.packing.pack_states import PackStatus
from app.web.frame.formats import (
    NO_BREAK_SPACE,
    Moment,
    Phrase,
    counted,
    format_duration,
    format_rate,
    format_size,
    percent,
)
from slipway.archive.invisible_characters import escape_invisible

# state -> (icon, word in lists of counts)
STATES = {
    "failed": ("failed", "failed"),
    "no_contact": ("no-contact", "no contact"),
    "retrying": ("retrying", "retrying"),
    "verifying": ("verifying", "verifying"),
    "downloading": ("downloading", "downloading"),
    "queued": ("queued", "queued"),
    "removing": ("removing", "removing"),
    "cached": ("cached", "cached"),
    "not_started": ("queued", "not started yet"),
    "not_sent": ("none", "not sent"),
    "removed": ("none", "removed"),
}

_PAUSED = "downloads paused"
# State -> mark in the list of games.
_SERVER_MARKS = {
    "cached": "cached",
    "downloading": "arriving",
    "verifying": "arriving",
    "retrying": "retrying",
    "failed": "failed",
    "no_contact": "no-contact",
}


@dataclass(frozen=True)
class CellWords:
    """One cell of the matrix. `action` is the label of its button, or None; `ring` a percentage, or None."""

    state: str
    icon: str
    word: str
    fact: Phrase
    ring: int | None = None
    action: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Count:
    icon: str
    text: str
    bad: bool


@dataclass(frozen=True)
class StatusLabel:
    """A short text with its look. `tone`: bad, warn, live, quiet or plain. `href`: what it opens, or ""."""

    icon: str
    text: str
    tone: str = "plain"
    href: str = ""


def short_reason(reason: str | None) -> str:
    """`disk full: 3.2 GiB needed, 1.1 GiB free` -> `disk full`."""
    return (reason or "").split(":", 1)[0].strip()


def cell_words(cell: Cell) -> CellWords:
    """The words of one cell."""
    return _CELLS[cell.state](cell)


def _since(cell: Cell) -> Phrase:
    return ("since ", Moment(cell.since, "since")) if cell.since else ()


def _cached(cell: Cell) -> CellWords:
    fact: Phrase = (counted(cell.sessions, "session"),) if cell.sessions else _since(cell)
    return CellWords(cell.state, "cached", "Cached", fact)


def _downloading(cell: Cell) -> CellWords:
    done = percent(cell.bytes_done, cell.bytes_total)
    fact = format_rate(cell.bytes_per_second)
    if cell.source in {"pack", "update"}:
        fact = f"{format_size(cell.bytes_total)} · {fact}"
    elif cell.bytes_per_second > 0:
        fact += f" · {format_duration((cell.bytes_total - cell.bytes_done) / cell.bytes_per_second)}"
    return CellWords(cell.state, "downloading", f"{done}{NO_BREAK_SPACE}%", (fact,), ring=done)


def _verifying(cell: Cell) -> CellWords:
    done = percent(cell.bytes_done, cell.bytes_total)
    fact: Phrase = (format_rate(cell.bytes_per_second),) if cell.bytes_per_second else _since(cell)
    return CellWords(cell.state, "verifying", f"Verifying {done}{NO_BREAK_SPACE}%", fact)


def _queued(cell: Cell) -> CellWords:
    waiting = waits_for(cell)
    return CellWords(cell.state, "queued", "Queued", (waiting,) if waiting else _since(cell))


def waits_for(cell: Cell) -> str:
    """What a queued build waits for, or "" when nothing is ahead of it."""
    if cell.paused:
        return _PAUSED
    if cell.preparing is not None:
        return f"preparing update {cell.preparing}{NO_BREAK_SPACE}%"
    if cell.ahead is None:
        return ""
    what = "another game"
    if cell.ahead.build is not None:
        what = f"{cell.ahead.game or 'build'} {cell.ahead.build}"
    return f"next after {what}" if cell.ahead.queued <= 1 else f"one of {cell.ahead.queued} after {what}"


def _retrying(cell: Cell) -> CellWords:
    word = f"Retrying {cell.attempt} of {SHOWN_RETRIES}"
    if cell.paused:
        return CellWords(cell.state, "retrying", word, (_PAUSED,), reason=cell.reason)
    due: Phrase = (Moment(cell.retry_at, "until"),) if cell.retry_at else ("now",)
    return CellWords(cell.state, "retrying", word, (*due, " ·"), action="Retry", reason=cell.reason)


def _failed(cell: Cell) -> CellWords:
    reason = short_reason(cell.reason)
    word = f"Failed: {reason}" if reason else "Failed"
    if cell.paused:
        return CellWords(cell.state, "failed", word, (_PAUSED,), reason=cell.reason)
    return CellWords(cell.state, "failed", word, (), action="Retry now", reason=cell.reason)


def _no_contact(cell: Cell) -> CellWords:
    # Progress before contact was lost is outdated, but a cached build is probably still cached.
    was = f"was {cell.before}, " if cell.before in {"cached", "removed"} else "since "
    since: Phrase = (was, Moment(cell.reported_at, "since")) if cell.reported_at else ()
    return CellWords(cell.state, "no-contact", "No contact", since)


def _not_started(cell: Cell) -> CellWords:
    return CellWords(cell.state, "queued", "Not started yet", ("never reported",))


def _removing(cell: Cell) -> CellWords:
    return CellWords(cell.state, "removing", "Removing", (format_size(cell.bytes_total),))


def _removed(cell: Cell) -> CellWords:
    fact: Phrase = ("not kept since ", Moment(cell.since, "day")) if cell.since else ()
    return CellWords(cell.state, "none", "Copy removed", fact)


def _not_sent(cell: Cell) -> CellWords:
    return CellWords(cell.state, "none", "Not sent", (f"{format_size(cell.to_fetch)} to fetch",))


_CELLS = {
    "cached": _cached,
    "downloading": _downloading,
    "verifying": _verifying,
    "queued": _queued,
    "retrying": _retrying,
    "failed": _failed,
    "no_contact": _no_contact,
    "removing": _removing,
    "removed": _removed,
    "not_started": _not_started,
    "not_sent": _not_sent,
}


def row_note(row: MatrixRow, servers: int) -> str:
    """The second line in the head of a build's row: `1.4.2 · cached on 5 of 6`. `servers`: how many there are."""
    state = _row_state(row, servers)
    return f"{version_words(row.build.version_label)} · {state}" if row.build.version_label else state


def version_words(label: str | None) -> str:
    """The studio's own name for a build, or ""."""
    return escape_invisible(label or "")


def build_name(number: int, label: str | None) -> str:
    """`Build 4 · 1.4.2`, or `Build 4` without a version label."""
    return f"Build {number} · {version_words(label)}" if label else f"Build {number}"


def _row_state(row: MatrixRow, servers: int) -> str:
    if row.live or row.build.first_released_at:
        kept = ", kept" if not row.live and row.kept else ""
        return f"cached on {row.cached_on} of {servers}{kept}"
    return "ready, not released"


def reported_words(server: MatrixServer) -> Phrase:
    """When a server last reported: `reported 8 s ago`."""
    return ("reported ", Moment(server.reported_at, "within")) if server.reported_at else ("never reported",)


def count_labels(found: Counter[str]) -> list[Count]:
    """`1 failed`, `5 cached`: most severe first, without zeros."""
    return [
        Count(STATES[state][0], f"{found[state]} {STATES[state][1]}", state == "failed")
        for state in SEVERITY
        if found[state]
    ]


def server_marks(summary: Summary, servers: int) -> list[str]:
    """One mark per server, in the order of the servers; all are empty without a released build."""
    return [_SERVER_MARKS.get(state, "waiting") for state in summary.states] or ["waiting"] * servers


def summary_words(
    found: Counter[str], reason: tuple[str, str] | None = None, released: bool = True, servers: int | None = None
) -> StatusLabel:
    """The worst state of the released build on the servers.

    `reason`: (server id, reason) of a failure to name, or None. `servers`: how many there are, if `found` counts only
    some of them."""
    total = sum(found.values()) if servers is None else servers
    if not released:
        return StatusLabel("queued", "No build yet", "quiet")
    if total == 0:
        return StatusLabel("queued", "No servers yet", "quiet")
    if found["failed"]:
        named = f": {reason[0]}, {short_reason(reason[1])}" if reason else ""
        return StatusLabel("failed", f"Failed on {found['failed']} of {total}{named}", "bad")
    if found["retrying"]:
        return StatusLabel("retrying", f"Retrying on {found['retrying']} of {total}", "warn")
    arriving = found["downloading"] + found["verifying"]
    if arriving:
        return StatusLabel("downloading", f"Arriving on {arriving} of {total}")
    if found["cached"]:
        icon = "cached" if found["cached"] == total else "queued"
        return StatusLabel(icon, f"Cached on {found['cached']} of {total}")
    if found["no_contact"]:
        return StatusLabel("no-contact", f"No contact with {found['no_contact']} of {total}")
    return StatusLabel("queued", f"Waiting on {total} of {total}")


def rollout_chips(game: Game, found: Matrix) -> list[StatusLabel]:
    """The chips of a game's page after the first: one per trouble of the live build on its servers, worst first, or its
    state if there is none. They open the table of the servers. A lost server is named even if all other servers have
    the build."""
    troubles = [state for state in ("failed", "no_contact", "retrying") if found.counts[state]]
    counts = [Counter({state: found.counts[state]}) for state in troubles] or [found.counts]
    labels = [summary_words(each, found.failure, servers=found.total) for each in counts if each]
    return [replace(label, href=f"/games/{game.slug}#fleet") for label in labels]


def status_words(game: Game) -> StatusLabel:
    """A game's status in lists: `Live` if it has a released build."""
    if game.released_build_id:
        return StatusLabel("live", "Live")
    return StatusLabel("queued", "Waiting for a build")


def live_chip(game: Game, live: Build | None) -> StatusLabel:
    """The first chip of a game's page: it opens the live build."""
    if live is None:
        return StatusLabel("queued", "Waiting for a build")
    return StatusLabel("live", f"Live: build {live.number}", "live", f"/games/{game.slug}/builds/{live.number}")


def build_state(build: Build, live: bool) -> tuple[str, Phrase]:
    """(icon, words) of a build in the builds table."""
    if live and build.released_at:
        return "live", ("Live since ", Moment(build.released_at, "since"))
    if build.first_released_at:
        return "ready", ("Ready, was live",)
    return "ready", ("Ready",)


def pack_words(pack: PackStatus | None) -> str:
    """What is done for a build's pack, or why there is none; "" when there is nothing to say."""
    if pack is None or pack.state == "ready":
        return ""
    if pack.state == "making":
        return f"Preparing updates {pack.progress}{NO_BREAK_SPACE}%"
    if pack.state == "waiting":
        return "Updates will be prepared"
    return f"Servers fetch the archive. {pack.reason}"


def refusal_words(code: str, reason: str) -> tuple[str, str]:
    """(state, what to do) of a rejected archive. "Failed check" is for archives that break a rule."""
    problem, remedy = _sentence_and_rest(reason)
    word = "Failed check" if code == "invalid_archive" else "Rejected"
    return f"{word}: {problem.rstrip('.')}", remedy


def _sentence_and_rest(text: str) -> tuple[str, str]:
    """The first sentence without its full stop, and what follows it. A full stop in a quoted name ends none."""
    for found in re.finditer(r"\. ", text):
        if text.count('"', 0, found.start()) % 2 == 0:
            return text[: found.start()], text[found.end() :]
    return text, ""


def tab_title(name: str, found: Counter[str]) -> str:
    """A page title with the worst state first: `(1 failed) The Garden of Forking Paths · Slipway`."""
    states = ("failed", "no_contact", "retrying", "downloading", "verifying")
    worst = next((state for state in states if found[state]), None)
    prefix = f"({found[worst]} {STATES[worst][1]}) " if worst else ""
    return f"{prefix}{name} · Slipway"


def released_line(released_at: datetime | None, released_by: str | None) -> Phrase:
    """`Released today, 10:38 by Mira Okafor`."""
    if released_at is None:
        return ()
    return ("Released ", Moment(released_at, "within"), f" by {released_by}" if released_by else "")


def initials(name: str) -> str:
    """`Mira Okafor` -> `MO`."""
    words = [word for word in name.replace("@", " ").split() if word[0].isalnum()]
    letters = [words[0][0], words[-1][0]] if len(words) > 1 else [words[0][:2]] if words else ["?"]
    return "".join(letters).upper()
