"""Storage: whether it is reachable, how much it contains, and a check that compares the database with the objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from flask import Blueprint, Flask, render_template, url_for
from flask.typing import ResponseReturnValue

from app.data.database import free_connection
from app.data.models.base import now
from app.maintenance import build_sweep
from app.storage.bucket import StorageError
from app.uploads.storage_totals import Totals, totals
from app.uploads.storage_usage import storage_use
from app.web.charts.storage_charts import games_chart, partners_chart
from app.web.frame.formats import Moment, counted, format_size
from app.web.frame.storage_banner import storage_outage
from app.web.live.live_parts import RenderedParts, render_part
from app.web.live.streams import add_live_views, current_parts
from app.web.operator.operator_access import require_operator
from app.web.servers import server_words

pages = Blueprint("operator_storage", __name__)
pages.before_request(require_operator)

REFRESH_INTERVAL = timedelta(seconds=5)
MAX_SHOWN_NAMES = 50  # of each kind of finding
MAX_SHOWN_BARS = 10  # partners, and games


@dataclass(frozen=True)
class StorageSubject:
    """The live parts of the storage page. No topic announces changes, so they are refreshed while a page is open."""

    gone: ClassVar[str] = "There is no storage to show."

    @property
    def topic(self) -> str:
        return "storage"

    def render(self, app: Flask, version: int) -> RenderedParts | None:
        found = storage_outage()
        return RenderedParts(
            title="(unreachable) Storage · Slipway" if found else "Storage · Slipway",
            parts=(
                render_part(app, "storage-state", "operator/_storage_state.html", trouble=found),
                render_part(app, "storage-facts", "operator/_storage_facts.html", facts=_facts(totals())),
            ),
            rows=(),
            version=version,
            changes_at=now() + REFRESH_INTERVAL,
        )


@dataclass(frozen=True)
class CheckResult:
    """The result of a check. `at`: when it ran."""

    at: Moment
    builds: str
    missing: Sequence[str]
    missing_count: int
    orphans: Sequence[tuple[str, str]]
    orphans_words: str
    transfers: Sequence[str]
    transfers_count: int


@pages.get("/operator/storage")
def page() -> ResponseReturnValue:
    """The page."""
    return _page()


add_live_views(pages, "/operator/storage", StorageSubject)


@pages.post("/operator/storage/checks")
def check() -> ResponseReturnValue:
    """Compare the database with the objects. This changes nothing, so the response is the page itself."""
    free_connection()
    try:
        found = build_sweep.check()
    except StorageError as refusal:
        return _page(problem=refusal.message), 503
    orphans = [(each.key, format_size(each.size)) for each in found.orphans[:MAX_SHOWN_NAMES]]
    orphan_bytes = sum(each.size for each in found.orphans)
    return _page(
        CheckResult(
            at=Moment(now()),
            builds=counted(found.builds, "build"),
            missing=found.missing[:MAX_SHOWN_NAMES],
            missing_count=len(found.missing),
            orphans=orphans,
            orphans_words=f"{counted(len(found.orphans), 'object')}, {format_size(orphan_bytes)}" if orphans else "",
            transfers=found.transfers[:MAX_SHOWN_NAMES],
            transfers_count=len(found.transfers),
        )
    )


def _page(found: CheckResult | None = None, problem: str = "") -> str:
    use = storage_use(MAX_SHOWN_BARS)
    free_connection()
    rest = use.game_count - len(use.games)
    return render_template(
        "operator/storage.html",
        live=current_parts(StorageSubject()),
        partners=partners_chart(use.partners, use.partner_count, _partner_address),
        games=games_chart(
            use.games,
            f"{counted(rest, 'more game')} {'uses' if rest == 1 else 'use'} less." if rest > 0 else "",
            lambda game: _partner_address(game.partner_id),
            with_partner=True,
        ),
        found=found,
        problem=problem,
        shown=MAX_SHOWN_NAMES,
        made_at=Moment(now()),
    )


def _partner_address(partner_id: str) -> str:
    return url_for("operator_partner.page", partner_id=partner_id)


def _facts(found: Totals) -> list[server_words.Figure]:
    reserved = f"for {format_size(found.reserved_bytes)}" if found.uploads and found.reserved_bytes else ""
    return [
        server_words.figure("Size of builds", format_size(found.builds_bytes)),
        ("Builds", f"{found.builds:,}", ""),
        server_words.figure("Size of packs", format_size(found.packs_bytes)),
        server_words.figure("Size of deleted games", format_size(found.deleted_bytes)),
        ("Uploads in progress", f"{found.uploads:,}", reserved),
    ]
