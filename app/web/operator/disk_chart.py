"""The disks of servers: how much is in use, and how much is free above the floor that agents leave free."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from app.fleet.overviews.fleet_overview import FleetServer
from app.web.charts.bar_chart import WIDTH, Bar, BarChart, Part, parts
from app.web.charts.units import Unit, byte_unit
from app.web.frame.formats import Phrase, counted, format_size

MAX_SHOWN_DISKS = 20


def disk_chart(servers: Sequence[FleetServer], url_of: Callable[[str], str]) -> BarChart | None:
    """The fullest disks, least room first. Every server caches every build, so the one with the least room decides what
    still fits. None if no server has reported its disk."""
    known = sorted((server for server in servers if server.disk_total), key=lambda server: (server.room, server.id))
    if not known:
        return None
    shown, rest = known[:MAX_SHOWN_DISKS], len(known) - MAX_SHOWN_DISKS
    unit = byte_unit(server.disk_total for server in shown)
    least = known[0]
    return BarChart(
        id="disks",
        title="Disk per server",
        summary=(f"Least room: {format_size(least.room)} on {least.id}.",),
        bars=[_bar(server, unit, url_of(server.id)) for server in shown],
        headings=("Server", *(f"{name} ({unit.name})" for name in ("In use", "Free", "Floor", "Room", "Disk"))),
        number_columns=5,
        legend=(("full", "In use"), ("light", "Floor, kept free")),
        more=f"{counted(rest, 'more server')} with more room." if rest > 0 else "",
    )


def _bar(server: FleetServer, unit: Unit, url: str) -> Bar:
    free = server.disk_total - server.disk_used
    amounts = (server.disk_used, free, server.disk_floor, server.room, server.disk_total)
    cells: list[Phrase] = [(unit.number(amount),) for amount in amounts]
    used = parts([(server.disk_used, "full")], server.disk_total)
    floor_begins = WIDTH - round(server.disk_floor / server.disk_total * WIDTH)
    light_begins = max(floor_begins, *(part.width for part in used), 0)
    floor = [Part(light_begins, WIDTH - light_begins, "light")] if light_begins < WIDTH else []
    return Bar(
        name=server.id,
        second=(server.region,),
        value=_words(server),
        parts=used + floor,
        cells=cells,
        url=url,
        mark=floor_begins,
        tone="bad" if server.room == 0 else "warn" if server.is_near_floor else "",
    )


def _words(server: FleetServer) -> str:
    if server.room == 0:
        return "At its floor"
    room = f"{format_size(server.room)} of room"
    return f"{room}, near its floor" if server.is_near_floor else room
