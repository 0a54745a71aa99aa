"""GET /healthz: 200 when database, storage and worker respond, else 503. The body has the state of each."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from app.data.database import database_answers
from app.refusals import Unavailable
from app.storage.bucket import bucket
from app.topics.queue import worker_answers

bp = Blueprint("health", __name__)


@bp.get("/healthz")
def healthz() -> Response:
    found = {"database": database_answers(), "storage": _storage(), "worker": worker_answers()}
    healthy = all(found.values())
    response = jsonify(
        {"status": "ok" if healthy else "error"} | {name: "ok" if ok else "error" for name, ok in found.items()}
    )
    response.status_code = 200 if healthy else 503
    response.headers["Cache-Control"] = "no-store"
    return response


def _storage() -> bool:
    try:
        bucket().ping()
    except Unavailable:
        return False
    return True
