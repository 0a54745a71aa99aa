"""The partner's storage quota and usage, and the limits of the API."""

from __future__ import annotations

from flask import Blueprint, render_template, url_for
from flask.typing import ResponseReturnValue

from app.accounts.build_quota import BuildQuota, build_quota
from app.accounts.keys import ROLL_OVERLAP
from app.accounts.members import INVITATION_LIFETIME
from app.config.settings import MIB, settings
from app.data.extensions import db
from app.images.gallery import quota_summary
from app.images.image_limits import MAX_IMAGE_BYTES, MAX_IMAGE_PIXELS
from app.limits.rate_limits import rate_words
from app.uploads.storage_usage import GameUsage, usage_by_game
from app.web.charts.storage_charts import games_chart
from app.web.frame.current_user import my_partner, require_sign_in
from app.web.frame.formats import counted, format_duration, format_limit, format_size, format_used
from app.web.images.gallery_view import quota_words

pages = Blueprint("quota", __name__)
pages.before_request(require_sign_in)

MAX_SHOWN_GAMES = 10


@pages.get("/settings/quota")
def page() -> ResponseReturnValue:
    """The page."""
    partner = my_partner()
    quota = build_quota(db.session(), partner)
    games = usage_by_game(partner)
    return render_template(
        "settings/quota.html",
        quota=quota,
        used=format_size(quota.used) if quota.limit is None else format_used(quota.used, quota.limit),
        facts=_facts(quota),
        images=quota_words(quota_summary(partner.id)),
        games=games_chart(games[:MAX_SHOWN_GAMES], _more(len(games)), _address, with_partner=False),
        limits=_limits(),
    )


def _more(games: int) -> str:
    rest = games - MAX_SHOWN_GAMES
    return f"{counted(rest, 'smaller game')} {'is' if rest == 1 else 'are'} not shown." if rest > 0 else ""


def _address(game: GameUsage) -> str:
    return "" if game.deleted else url_for("game.page", slug=game.slug)


def _facts(quota: BuildQuota) -> list[tuple[str, str]]:
    facts = []
    if quota.packs:
        facts += [("Archives", format_size(quota.archives)), ("Packs for updates", format_size(quota.packs))]
    if quota.reserved:
        facts.append(("Being uploaded", format_size(quota.reserved)))
    if quota.left is not None:
        facts.append(("Left", format_size(quota.left)))
    return facts


def _limits() -> list[tuple[str, str]]:
    now = settings()
    return [
        ("API calls", f"{rate_words(now.api_rate, 'call')} for each key"),
        ("Builds sent by API", f"{rate_words(now.upload_rate, 'upload')} for each key, including rejected archives"),
        ("An image", f"at most {format_limit(MAX_IMAGE_BYTES)}, {MAX_IMAGE_PIXELS // 10**6} million pixels"),
        ("A build, packed", f"at most {format_limit(now.max_archive_bytes)}"),
        ("A build, unpacked", f"at most {format_limit(now.max_unpacked_bytes)}"),
        ("The body of other calls", f"at most {format_limit(MIB)}"),
        ("Wrong passwords", f"{rate_words(now.sign_in_rate, 'attempt')}, then a wait"),
        ("A rolled key", f"works {format_duration(ROLL_OVERLAP.total_seconds())} longer"),
        ("An invitation", f"works once, for {counted(INVITATION_LIFETIME.days, 'day')}"),
    ]
