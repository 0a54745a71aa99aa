"""Toasts with a button. They work without the script."""

from __future__ import annotations

from flask import flash


def flash_with_undo(message: str, label: str, url: str) -> None:
    """Show `message` on the next page, with a button that posts to `url`."""
    _flash(text=message, label=label, url=url, asks=False)


def flash_with_question(message: str, label: str, url: str) -> None:
    """Show `message` on the next page, with a link that opens the question at `url`."""
    _flash(text=message, label=label, url=url, asks=True)


def _flash(**toast: str | bool) -> None:
    flash(toast)  # type: ignore[arg-type]  # accepts any JSON value
