"""Toasts with something to do: said once after what was done, until they are dismissed."""

from __future__ import annotations

from flask import flash


def toast(text: str, *, action: str, url: str) -> None:
    """Say `text` on the next page, with a link that opens the question at `url` there."""
    # A list, because that is what the session's JSON gives back.
    flash([text, action, url])  # type: ignore[arg-type]  # it takes what the session can store
