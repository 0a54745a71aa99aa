"""Storage of builds, by partner and by game."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from app.uploads.storage_usage import GameUsage, PartnerUsage
from app.web.charts.bar_chart import Bar, BarChart, Look, parts
from app.web.charts.units import byte_unit
from app.web.frame.formats import Phrase, counted, format_size

_LEGEND: tuple[tuple[Look, str], ...] = (("full", "Archives"), ("light", "Packs for updates"))


def partners_chart(shown: Sequence[PartnerUsage], partners: int, url_of: Callable[[str], str]) -> BarChart | None:
    """`shown`: the largest, largest first, of `partners` that have builds. `url_of`: a partner's page by its id. None
    if there are no builds."""
    bars = [(usage, usage.name, (counted(usage.games, "game"),), url_of(usage.id)) for usage in shown]
    rest = partners - len(shown)
    return _chart(
        "storage-partners",
        "By partner",
        bars,
        "Partner",
        ("Games", [f"{usage.games:,}" for usage in shown]),
        f"{counted(rest, 'more partner')} {'uses' if rest == 1 else 'use'} less." if rest > 0 else "",
    )


def games_chart(
    shown: Sequence[GameUsage], more: str, url_of: Callable[[GameUsage], str], *, with_partner: bool
) -> BarChart | None:
    """`shown`: the largest, largest first. `more`: what is not shown, or "". `url_of`: a game's page, or "".
    `with_partner`: name the partner of each game. None if there are no builds."""
    bars = [(usage, usage.title, (_second(usage, with_partner),), url_of(usage)) for usage in shown]
    return _chart("storage-games", "By game", bars, "Game", ("Builds", [f"{usage.builds:,}" for usage in shown]), more)


def _second(usage: GameUsage, with_partner: bool) -> str:
    words = [usage.partner] if with_partner else []
    words += ["deleted, freed soon"] if usage.deleted else []
    return ", ".join([*words, counted(usage.builds, "build")])


def _chart(
    chart_id: str,
    title: str,
    lines: Sequence[tuple[GameUsage | PartnerUsage, str, Phrase, str]],
    heading: str,
    counts: tuple[str, Sequence[str]],
    more: str,
) -> BarChart | None:
    if not lines:
        return None
    largest = lines[0][0].size
    unit = byte_unit([largest])
    bars = []
    for (usage, name, second, url), count in zip(lines, counts[1], strict=True):
        amounts = (usage.archives, usage.packs, usage.size)
        cells: list[Phrase] = [(count,), *((unit.number(amount),) for amount in amounts)]
        drawn = parts([(usage.archives, "full"), (usage.packs, "light")], largest)
        bars.append(Bar(name, second, format_size(usage.size), drawn, cells, url))
    sizes = (f"{label} ({unit.name})" for label in ("Archives", "Packs", "Together"))
    return BarChart(
        id=chart_id,
        title=title,
        summary=(f"Largest: {lines[0][1]}, {format_size(largest)}.",),
        bars=bars,
        headings=(heading, counts[0], *sizes),
        number_columns=4,
        legend=_LEGEND,
        more=more,
    )
