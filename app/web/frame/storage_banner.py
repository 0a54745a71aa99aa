"""The banner on all pages while storage is unreachable, and the button that checks storage now."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import timedelta

from flask import Blueprint, Flask, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.data.database import free_connection
from app.data.extensions import htmx
from app.refusals import Unavailable
from app.storage.availability import RETRY_SECONDS, storage_status
from app.storage.bucket import Bucket, bucket
from app.web.frame.current_user import local_address, require_sign_in
from app.web.frame.formats import Moment

pages = Blueprint("storage", __name__)
pages.before_request(require_sign_in)


@dataclass(frozen=True)
class StorageOutage:
    """The times that the banner shows."""

    since: Moment
    next_try: Moment


@pages.get("/storage")
def state() -> ResponseReturnValue:
    """The banner as a fragment; empty while storage is reachable."""
    return render_template("parts/storage.html") if htmx else redirect(url_for("games.index"))


@pages.post("/storage/tries")
def look() -> ResponseReturnValue:
    """Check storage now. This can take as long as its timeouts, so it holds no database connection."""
    free_connection()
    _ping(bucket())
    if htmx and not htmx.boosted:
        return render_template("parts/storage.html")
    return redirect(local_address(request.form.get("next"), url_for("games.index")), 303)


def storage_outage() -> StorageOutage | None:
    """The outage that this process has recorded, or None. Returns at once: no page waits for storage."""
    store: Bucket | None = current_app.extensions["slipway_bucket"]
    if store is None:
        return None
    outage = storage_status.outage(lambda: _ping(store))
    if outage is None:
        return None
    next_try = outage.asked_at + timedelta(seconds=RETRY_SECONDS)
    return StorageOutage(Moment(outage.since, "since"), Moment(next_try, "until"))


def _ping(store: Bucket) -> None:
    with contextlib.suppress(Unavailable):  # the ping records its result
        store.ping()


def init_app(app: Flask) -> None:
    """Register the pages, and `storage_outage()` for templates."""
    app.register_blueprint(pages)
    app.jinja_env.globals["storage_outage"] = storage_outage
