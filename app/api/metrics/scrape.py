"""`GET /metrics`: this process's metrics for Prometheus, for programs on this machine or with the token."""

from __future__ import annotations

from flask import Blueprint, Response, request

from app.config.settings import settings
from app.data.database import free_connection
from app.monitoring.exposition import CONTENT_TYPE, exposition
from app.monitoring.scrape_access import REFUSAL, may_scrape

bp = Blueprint("metrics", __name__)


@bp.get("/metrics")
def metrics() -> Response:
    """The text, or 403."""
    if not may_scrape(request.environ, settings().metrics_token):
        return Response(REFUSAL, 403, {"Cache-Control": "no-store"}, mimetype="text/plain")
    free_connection()
    return Response(exposition(), headers={"Cache-Control": "no-store"}, content_type=CONTENT_TYPE)
