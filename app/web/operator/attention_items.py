"""What needs an operator's attention, for every page that lists or counts it, and the capacity of the platform at a
glance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from flask import Flask

from app.accounts.partner_list import PartnerEntry, directory
from app.fleet.overviews.fleet_overview import FleetOverview, FleetServer
from app.packing.pack_states import unmade_packs
from app.web.frame.formats import Phrase, counted, format_size, format_used
from app.web.frame.storage_banner import StorageOutage, storage_outage
from app.web.live.refreshed_values import Reading, RefreshedValue
from app.web.servers import server_words

FULL_PERCENT = 90  # of a quota
# Storage, packs and partners announce no changes to the pages of servers. Servers report every second, and reports
# change none of these.
REFRESH_INTERVAL = timedelta(seconds=5)


@dataclass(frozen=True)
class Item:
    """One thing. `url`: of the page where it can be changed. Not by url_for, which needs a request."""

    icon: str
    what: str
    why: Phrase
    url: str
    link: str


@dataclass(frozen=True)
class Platform:
    """What needs attention beside the servers, worst first. `stored`: bytes of builds and packs in storage."""

    items: Sequence[Item]
    stored: int


@dataclass(frozen=True)
class Attention:
    """Everything that needs attention, worst first."""

    servers: Sequence[FleetServer]
    items: Sequence[Item]

    @property
    def count(self) -> int:
        return len(self.servers) + len(self.items)


def attention_of(overview: FleetOverview, platform: Platform) -> Attention:
    """What needs attention now."""
    return Attention([server for server in overview.servers if needs_attention(server)], platform.items)


def current_platform(app: Flask) -> Reading[Platform]:
    """At most REFRESH_INTERVAL old. The caller must hold no database connection."""
    found: RefreshedValue[Platform] = app.extensions["slipway_platform"]
    return found.current()


def _read_platform() -> Platform:
    """Seven queries."""
    partners = directory()
    return Platform(
        other_items(storage_outage(), unmade_packs(), partners), sum(partner.builds_bytes for partner in partners)
    )


def other_items(outage: StorageOutage | None, packs: dict[str, int], partners: list[PartnerEntry]) -> list[Item]:
    """Worst first. `packs`: how many packs are not made, by state."""
    items = []
    if outage:
        why: Phrase = ("No answer since ", outage.since)
        items.append(Item("failed", "Storage is unreachable", why, "/operator/storage", "Storage"))
    if count := packs.get("no_room"):
        why = ("The portal’s disk has no room to make them. Servers fetch archives meanwhile.",)
        items.append(_packs(count, why))
    if count := packs.get("failed"):
        items.append(_packs(count, ("Making them failed several times. The builds’ pages have the reasons.",)))
    items += [
        _quota(partner)
        for partner in partners
        if quota_percent(partner.builds_bytes, partner.quota_bytes) >= FULL_PERCENT
    ]
    items += [
        _partner(partner, "No owner yet", ("Nobody can invite members or create keys.",))
        for partner in partners
        if not partner.owners
    ]
    return items


def quota_percent(used: int, total: int | None) -> int:
    """0 without a limit, 100 for a limit of 0."""
    if total is None:
        return 0
    return min(100, used * 100 // total) if total else 100


def needs_attention(server: FleetServer) -> bool:
    """Whether a server is in any state but healthy, or its disk is nearly full."""
    return server.is_near_floor or server.state != "healthy"


def capacity_figures(overview: FleetOverview, stored: int) -> list[server_words.Figure]:
    """`stored`: bytes of builds and packs in storage. Every server caches every released build, so the server with the
    least room decides what still fits."""
    known = [server for server in overview.servers if server.disk_total]
    near = sum(server.is_near_floor for server in known)
    least = min(known, key=lambda server: (server.room, server.id), default=None)
    figures = [server_words.figure("Room for builds", format_size(overview.room))]
    if least:
        number, unit = server_words.figure("", format_size(least.room))[1:]
        figures.append(("Least room", number, f"{unit} on {least.id}"))
    return [
        *figures,
        ("Disks nearly full", f"{near:,}", f"of {len(known):,}"),
        server_words.figure("Still to send", format_size(overview.bytes_to_send)),
        server_words.figure("Builds in storage", format_size(stored)),
    ]


def _packs(count: int, why: Phrase) -> Item:
    is_are = "is" if count == 1 else "are"
    return Item("warning", f"{counted(count, 'pack')} {is_are} not made", why, "/operator/storage", "Storage")


def _quota(partner: PartnerEntry) -> Item:
    limit = partner.quota_bytes or 0
    why = f"{format_used(partner.builds_bytes, limit)} used"
    return _partner(partner, f"Quota at {quota_percent(partner.builds_bytes, limit)} %", (why,))


def _partner(partner: PartnerEntry, what: str, why: Phrase) -> Item:
    return Item("warning", f"{partner.name}: {what}", why, f"/operator/partners/{partner.id}", partner.name)


def init_app(app: Flask) -> None:
    """Create what the pages of servers share."""
    app.extensions["slipway_platform"] = RefreshedValue(_read_platform, REFRESH_INTERVAL)
