"""The app without shared streams, to measure what sharing saves. Only the bench starts it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app import create_app

app = create_app()
_with_shared_streams = app.wsgi_app


def _without(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Hide from the app that the web server can hold a connection without a thread."""
    if environ.pop("slipway.hold_stream", None) is None:
        raise RuntimeError("the web server offers no slipway.hold_stream that could be hidden")
    return _with_shared_streams(environ, start_response)


app.wsgi_app = _without  # type: ignore[method-assign]  # as Flask documents it
