"""Log lines on stderr, one per event: a sentence, then fields. Signed addresses and tokens are redacted."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from datetime import UTC, datetime

_LOGGER = logging.getLogger("slipway-agent")
# The query of a presigned URL is a bearer secret while it is valid (THREATS.md, "Presigned URLs").
_QUERY = re.compile(r"(https?://[^\s?\"']+)\?[^\s\"']*")
_TOKEN = re.compile(r"srv_[A-Za-z0-9_-]+")


def redacted(text: str) -> str:
    """`text` without queries of addresses and without server tokens."""
    return _TOKEN.sub("srv_…", _QUERY.sub(r"\1", text))


class _Line(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = getattr(record, "fields", {})
        parts = [
            f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%SZ}",
            record.levelname,
            record.getMessage(),
        ]
        parts += [f"{name}={_value(value)}" for name, value in fields.items() if value is not None]
        if record.exc_info:
            parts.append("traceback=" + json.dumps(self.formatException(record.exc_info), ensure_ascii=False))
        return redacted(" ".join(parts))


def _value(value: object) -> str:
    text = str(value)
    return text if re.fullmatch(r"[^\s\"=]+", text) else json.dumps(text, ensure_ascii=False)


def start_logging() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line())
    _LOGGER.handlers = [handler]
    _LOGGER.setLevel(logging.INFO)
    _LOGGER.propagate = False
    threading.excepthook = _uncaught


def _uncaught(thrown: threading.ExceptHookArgs) -> None:
    """Python's own hook would write lines without time and level, and without redaction."""
    name = thrown.thread.name if thrown.thread else None
    _LOGGER.error(
        "a thread ended with an error",
        exc_info=(thrown.exc_type, thrown.exc_value or thrown.exc_type(), thrown.exc_traceback),
        extra={"fields": {"thread": name}},
    )


def info(message: str, **fields: object) -> None:
    _LOGGER.info(message, extra={"fields": fields})


def warning(message: str, **fields: object) -> None:
    _LOGGER.warning(message, extra={"fields": fields})


def exception(message: str, error: BaseException, **fields: object) -> None:
    """Log an unexpected exception with its traceback."""
    _LOGGER.error(message, exc_info=error, extra={"fields": fields})
