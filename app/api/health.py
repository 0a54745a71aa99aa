"""The health of this process, for supervisors, load balancers and people. No call needs a key.

- `/livez`: the process answers. Restart it when this fails.
- `/readyz`: it can serve requests: the database answers and the process is not stopping. Storage, the worker and Redis
  are not asked: without them pages still open, and say what is missing.
- `/healthz`: 200 when database, storage and worker respond, else 503. The body has the state of each.
- `/version`: the version of the program.

`/doctor/request` is for `flask doctor` alone, which signs its request.
"""

from __future__ import annotations

from importlib.metadata import version

from flask import Blueprint, Response, abort, jsonify, request

from app.config.settings import settings
from app.data.database import database_answers
from app.process import shutdown
from app.process.request_probe import HEADER, PATH, is_probe
from app.refusals import Unavailable
from app.storage.bucket import bucket
from app.topics.queue import worker_answers

bp = Blueprint("health", __name__)


@bp.get("/livez")
def livez() -> Response:
    return _states({})


@bp.get("/readyz")
def readyz() -> Response:
    return _states({"database": database_answers(), "process": not shutdown.stopping.is_set()})


@bp.get("/healthz")
def healthz() -> Response:
    return _states({"database": database_answers(), "storage": _storage(), "worker": worker_answers()})


@bp.get("/version")
def program_version() -> Response:
    return _uncached(jsonify({"version": version("slipway")}))


@bp.get(PATH)
def seen_request() -> Response:
    """What the app sees of a client behind the proxies. `forwarded`: entries of X-Forwarded-For."""
    if not is_probe(settings().secret_key, request.headers.get(HEADER, "")):
        abort(404)
    entries = [entry for entry in request.headers.get("X-Forwarded-For", "").split(",") if entry.strip()]
    seen = {"scheme": request.scheme, "host": request.host, "address": request.remote_addr, "forwarded": len(entries)}
    return _uncached(jsonify(seen))


def _states(found: dict[str, bool]) -> Response:
    healthy = all(found.values())
    response = jsonify(
        {"status": "ok" if healthy else "error"} | {name: "ok" if ok else "error" for name, ok in found.items()}
    )
    response.status_code = 200 if healthy else 503
    return _uncached(response)


def _uncached(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


def _storage() -> bool:
    try:
        bucket().ping()
    except Unavailable:
        return False
    return True
