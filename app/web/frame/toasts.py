"""What was just done, with something to do about it: a toast with a button, which works without a script too."""

from __future__ import annotations

from flask import flash


def flash_with_undo(message: str, label: str, url: str) -> None:
    """Say `message` on the next page, with a button that posts to `url`."""
    _flash(text=message, label=label, url=url, asks=False)


def flash_with_question(message: str, label: str, url: str) -> None:
    """Say `message` on the next page, with a link that opens the question at `url`."""
    _flash(text=message, label=label, url=url, asks=True)


def _flash(**toast: str | bool) -> None:
    flash(toast)  # type: ignore[arg-type]  # it takes whatever the session can store, which is JSON
