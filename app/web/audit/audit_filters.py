"""The audit log at an address: search, kind, person, days and order. For the logs of the platform, of a partner and of
a game."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from app.accounts.audit.audit_history import HistoryFilter, HistoryPage
from app.accounts.audit.rollbacks import RELEASED, ROLLED_BACK
from app.data.models.base import now
from app.data.models.game import Game
from app.data.models.partner import Partner
from app.web.lists.list_address import ActiveFilter, ListAddress, quoted, requested_list

# Key in the address -> (label, prefix of the actions).
KindFilters = Mapping[str, tuple[str, str]]
# Of every log with builds.
RELEASE_KINDS: KindFilters = {"releases": ("Releases", RELEASED), "rollbacks": ("Only rollbacks", ROLLED_BACK)}
# Times that end now: key in the address -> (label, length).
PERIODS = {
    "24h": ("Last 24 hours", timedelta(hours=24)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "30d": ("Last 30 days", timedelta(days=30)),
}
_PERIOD_LABELS = {key: label for key, (label, _) in PERIODS.items()}
_DAYS = ("from", "to")
AUDIT_SORTS = {"-at": "Newest first", "at": "Oldest first"}


def requested_log(path: str, kinds: KindFilters, *names: str) -> ListAddress:
    """The log in the address of this request. `names`: its parameters beside those that all logs have. Days that do not
    exist count as none, and with days there is no period: the log shows one time."""
    address = requested_list(path, *names, "who", *_DAYS, "after", orders=AUDIT_SORTS, kind=kinds, last=PERIODS)
    address = address.with_values(**{name: None for name in _DAYS if _day(address.value(name)) is None})
    return address.with_values(last=None) if any(address.value(name) for name in _DAYS) else address


def history_filter(
    address: ListAddress, kinds: KindFilters, partner: Partner | None = None, game: Game | None = None
) -> HistoryFilter:
    """The filter of an address. Days are in UTC, and the last one is part of the time."""
    value = address.value
    return HistoryFilter(
        partner=partner,
        game=game,
        action=kinds[value("kind")][1],
        text=value("q"),
        actor=value("who"),
        since=_day(value("from")) or _ago(value("last")),
        until=_day(value("to"), days=1),
        oldest_first=value("sort") == "at",
        after=value("after"),
    )


def log_context(address: ListAddress, kinds: KindFilters, found: HistoryPage, **chosen: str) -> dict[str, Any]:
    """What the templates of a log need beside its entries. `chosen`: the words of filters that only this log has."""
    labels = {key: label for key, (label, _) in kinds.items()}
    return {
        "address": address,
        "filters": _active_filters(address, labels, _who_words(address, found), chosen),
        "segments": address.links("kind", labels),
        "periods": address.with_values(**dict.fromkeys(_DAYS)).links("last", _PERIOD_LABELS),
        "heads": address.heads(AUDIT_SORTS),
        "sorts": AUDIT_SORTS,
        "links": address.page_links(found.next_cursor),
        "searched": found.searched,
    }


def _who_words(address: ListAddress, found: HistoryPage) -> str:
    """The person or key that the log is narrowed to, as its rows name it."""
    who = address.value("who")
    return next((entry.actor_text.text for entry in found.entries), who) if who else ""


def _active_filters(
    address: ListAddress, labels: Mapping[str, str], who: str, chosen: Mapping[str, str]
) -> list[ActiveFilter]:
    value = address.value
    return address.active_filters(
        q=quoted(value("q")),
        kind=labels[value("kind")] if value("kind") else "",
        last=_PERIOD_LABELS[value("last")] if value("last") else "",
        who=f"by {quoted(who)}" if who else "",
        **{"from": f"From {value('from')}" if value("from") else "", "to": f"To {value('to')}" if value("to") else ""},
        **chosen,
    )


def _ago(period: str) -> datetime | None:
    """When a period began that ends now. None without one."""
    return now() - PERIODS[period][1] if period else None


def _day(text: str, days: int = 0) -> datetime | None:
    """The beginning of a day such as `2026-11-14` in UTC, or of one that comes `days` later. None if there is none."""
    try:
        day = date.fromisoformat(text) + timedelta(days=days)
    except (ValueError, OverflowError):
        return None
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
