"""The access log: one JSON line per request, in the form of the app's other lines (app/process/logs.py).

gunicorn collects every header and variable of a request for its own format, and a general formatter makes JSON of the
result. Together that was a tenth of a short call.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from gunicorn.glogging import Logger

from app.process.logs import public_path


class AccessLogger(Logger):  # type: ignore[misc]  # gunicorn carries no types
    """gunicorn's logger, with an access log of its own. Errors are logged as before."""

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> None:
        """Log one answered request."""
        if self.access_log_enabled and self.access_log.isEnabledFor(logging.INFO):
            line = access_line(resp.status, resp.headers, resp.sent, environ, request_time)
            # One call for the whole line: lines of several threads do not mix.
            os.write(sys.stderr.fileno(), line.encode())


def access_line(
    status: str | int, headers: list[tuple[str, str]], sent: int, environ: dict[str, Any], took: timedelta
) -> str:
    """The line of one request: the client, the path without its secrets, and neither query nor headers.

    `sent`: bytes of the body. `headers` are the answer's."""
    request_id = next((value for name, value in headers if name.lower() == "x-request-id"), "-")
    message = (
        f"{environ.get('REMOTE_ADDR', '-')} {environ.get('REQUEST_METHOD')} {public_path(environ.get('PATH_INFO', ''))}"
        f" {str(status).partition(' ')[0]} {sent} bytes {took // timedelta(milliseconds=1)} ms {request_id}"
    )
    at = datetime.now(UTC).isoformat(timespec="microseconds")
    return (
        f'{{"levelname": "INFO", "name": "gunicorn.access", "message": {json.dumps(message)}, "timestamp": "{at}"}}\n'
    )
