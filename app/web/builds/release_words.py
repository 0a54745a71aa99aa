"""The copy of the question before a release: the builds, the bytes to fetch, and what each server will do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.data.models.game import Build, Game
from app.fleet.active_servers import SERVERS_PER_PAGE, places_on_page
from app.fleet.release_preview import ReleasePreview, ServerPreview
from app.web.builds.build_rows import release_action, way_back_label
from app.web.builds.build_words import build_name
from app.web.frame.formats import NO_BREAK_SPACE, Moment, Phrase, counted, format_size, lower_first
from app.web.lists.list_address import ListAddress
from app.web.lists.numbered_pages import NumberedPage
from app.web.servers.server_pages import server_page
from slipway.client.transfer_line import transfer_line

_PROBLEMS = ("failed", "no-contact", "stopped")  # icons of servers that will not fetch the build now, worst first


@dataclass(frozen=True)
class ServerWords:
    id: str
    region: str
    has: str
    fetch: str
    instead_of: str
    icon: str
    expect: Phrase
    bad: bool = False


@dataclass(frozen=True)
class QuestionWords:
    """`button`: its label, or "" if there is nothing to release. `notes`: (icon, sentence). `compared_with`: the build
    whose files are compared with those of the build to release, or None."""

    heading: str
    subject: Phrase
    live_now: str
    live_next: str
    build_note: str
    compared_with: int | None
    fetch: str
    instead_of: str
    servers: Sequence[ServerWords]  # those of the page
    page: NumberedPage
    notes: Sequence[tuple[str, str]]
    button: str
    busy: str


def question_words(game: Game, found: ReleasePreview, address: ListAddress) -> QuestionWords:
    """`address`: of the question and the page of its servers. Totals are of all servers."""
    number, build = found.build.number, found.build
    back = release_action(number, found.live) == "Roll back"
    heading = f"Roll back to build {number}" if back else f"Release build {number}"
    full_size = sum(server.bytes_of for server in found.servers)
    places = places_on_page(address.page, len(found.servers))
    return QuestionWords(
        heading=heading if found.changes else f"Build {number} is live already",
        subject=(f"{game.title}, received ", Moment(build.created_at, "within"), f" from {build.sent_by}"),
        live_now=build_name(found.live, found.live_version) if found.live else "None",
        live_next=build_name(number, build.version_label),
        build_note=build.note or "",
        compared_with=found.live if found.changes else None,
        fetch=_at_most(found.bytes_to_fetch, found.preparing),
        instead_of=format_size(full_size) if found.bytes_to_fetch < full_size else "",
        servers=[_server(server, build, found.live) for server in _in_order(found, build)[places]],
        page=server_page(len(found.servers), "those with a problem first", address),
        notes=list(_notes(found)),
        button=_button(heading, back, len(found.servers)) if found.changes else "",
        busy="Rolling back…" if back else "Releasing…",
    )


def _in_order(found: ReleasePreview, build: Build) -> Sequence[ServerPreview]:
    """By id. If there are several pages, first those with a problem, then those that fetch most."""
    if len(found.servers) <= SERVERS_PER_PAGE:
        return found.servers

    def rank(server: ServerPreview) -> tuple[int, int, str]:
        icon, _ = _expect(server, build, found.live)
        place = _PROBLEMS.index(icon) if icon in _PROBLEMS else len(_PROBLEMS)
        return place, -server.bytes_to_fetch, server.server_id

    return sorted(found.servers, key=rank)


def _at_most(amount: int, preparing: bool) -> str:
    """`at most 112 MiB` while an update is prepared whose size is not known yet."""
    return f"{'at most ' if preparing else ''}{format_size(amount)}"


def _each(found: ReleasePreview) -> str:
    """`3 servers, 54 KiB each instead of 112 MiB`, or "" if nothing is fetched."""
    fetching = [server for server in found.servers if server.bytes_to_fetch]
    if not fetching:
        return ""
    preparing = any(server.preparing for server in fetching)
    amounts = [server.bytes_to_fetch for server in fetching]
    return transfer_line(amounts, found.build.size, preparing=preparing, space=NO_BREAK_SPACE)


def _button(heading: str, back: bool, servers: int) -> str:
    return f"{heading} {'on' if back else 'to'} {counted(servers, 'server')}" if servers else heading


def _notes(found: ReleasePreview) -> Sequence[tuple[str, str]]:
    number, notes = found.build.number, []
    if not found.changes:
        return [("live", "Nothing changes: choose another build to release.")]
    notes += [("failed", f"{warning}.") for warning in found.build.warnings]
    if found.sessions:
        stay = "stays on the build it" if found.sessions == 1 else "stay on the build they"
        end = "it ends" if found.sessions == 1 else "they end"
        notes.append(("sessions", f"{counted(found.sessions, 'session')} {stay} started with until {end}."))
    if not found.servers:
        notes.append(("queued", "There are no servers yet. Each new server fetches the live build."))
    if each := _each(found):
        notes.append(("downloading", f"{each}."))
    if found.live:
        notes.append(("roll-back", f"{_change_words(found, found.live)} {_way_back(number, found.live)}"))
    return notes


def _change_words(found: ReleasePreview, live: int) -> str:
    """When servers change from the `live` build."""
    number = found.build.number
    if found.servers and not found.bytes_to_fetch:
        return f"Servers that have build {number} change to it at once."
    return f"Servers keep running build {live} until build {number} is downloaded."


def _way_back(number: int, live: int) -> str:
    """How the `live` build becomes live again after a release of build `number`, in the words of its button."""
    return f"You can {lower_first(way_back_label(live, number))} later: servers that still have it download nothing."


def _server(server: ServerPreview, build: Build, live: int | None) -> ServerWords:
    icon, expect = _expect(server, build, live)
    return ServerWords(
        id=server.server_id,
        region=server.region,
        has=_has(server, live),
        fetch=_at_most(server.bytes_to_fetch, server.preparing),
        instead_of=format_size(server.bytes_of),
        icon=icon,
        expect=expect,
        bad=icon == "failed",
    )


def _has(server: ServerPreview, live: int | None) -> str:
    parts = [f"Build {server.has[0]}"] if server.has else []
    if server.live_state == "downloading":
        parts.append(f"{server.live_percent}{NO_BREAK_SPACE}% of {'' if parts else 'build '}{live}")
    return ", ".join(parts) or "Nothing"


def _expect(server: ServerPreview, build: Build, live: int | None) -> tuple[str, Phrase]:
    if not server.contact:
        if server.reported_at is None:
            return "no-contact", ("Never reported: fetches later",)
        later = "fetches later" if server.bytes_to_fetch else "changes later"
        return "no-contact", ("No contact since ", Moment(server.reported_at, "since"), f": {later}")
    if server.state in {"cached", "verifying"}:
        return ("ready", ("Ready at once",)) if server.state == "cached" else ("verifying", ("Checks it, then ready",))
    if server.paused:
        return "stopped", ("Downloads paused: fetches later",)
    need = server.bytes_to_fetch + build.unpacked_bytes
    if server.free_bytes is not None and server.free_bytes < need:
        return "failed", (f"Disk full: needs {format_size(need)}, {format_size(server.free_bytes)} free",)
    if build.number != live and server.live_state in {"retrying", "failed"}:
        return "retrying", (f"Replaces the retry of build {live}",)
    if build.number != live and server.live_state in {"downloading", "verifying", "queued"}:
        return "downloading", (f"Replaces the download of build {live}",)
    if server.preparing:
        return "queued", ("Waits for its update, which is being prepared",)
    if server.state in {"downloading", "retrying", "failed"}:
        return "downloading", ("Continues its download",)
    if server.way == "update":
        return "downloading", (f"Updates from build {server.from_build}",)
    return "downloading", ("Fetches it now",)
