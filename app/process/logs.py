"""JSON logs on standard error, one line per event, with the request's id. Every answer has that id too.

Never logged: query strings (presigned URLs are bearer secrets), links that let somebody in, headers, bodies.
"""

from __future__ import annotations

import logging
import re
import secrets
import sys

from flask import Flask, Response, g, has_request_context, request
from pythonjsonlogger.json import JsonFormatter

_SECRET_BELOW = ("/invitations/", "/new-password/")


class _RequestId(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if has_request_context():
            record.request_id = request_id()
        return True


def request_id() -> str:
    """The current request's id: the caller's X-Request-Id if it is a valid id, else a new one."""
    if "request_id" not in g:
        sent = request.headers.get("X-Request-Id", "")
        g.request_id = sent if re.fullmatch(r"[A-Za-z0-9._-]{1,64}", sent) else f"req_{secrets.token_hex(11)}"
    found: str = g.request_id
    return found


def public_path(path: str) -> str:
    """A path without its secrets: the query, and the end of a link that lets somebody in."""
    path = path.partition("?")[0]
    plain = f"/{path.lstrip('/')}".lower()  # mistyped, it leads nowhere and is as secret
    return next((f"{begin}…" for begin in _SECRET_BELOW if plain.startswith(begin)), path)


def init_app(app: Flask) -> None:
    """Set up logging once per process, and the request id on every answer."""
    root = logging.getLogger()
    if not any(isinstance(handler.formatter, JsonFormatter) for handler in root.handlers):
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s", timestamp=True))
        handler.addFilter(_RequestId())
        root.addHandler(handler)
        root.setLevel(logging.INFO)
        for chatty in ("huey", "urllib3", "alembic", "flask-limiter"):
            logging.getLogger(chatty).setLevel(logging.WARNING)

    @app.after_request
    def add_request_id(response: Response) -> Response:
        response.headers["X-Request-Id"] = request_id()
        return response
