"""What was just done, with a way back: a toast with a button. It is a form, so it works without a script too."""

from __future__ import annotations

from dataclasses import dataclass

from flask import flash


@dataclass(frozen=True)
class Action:
    """The button: its label, the page it leads to, and hidden fields of its form."""

    label: str
    url: str


def flash_with(message: str, action: Action) -> None:
    """Say it on the next page. Sessions are JSON, so the toast is a plain mapping there."""
    flash({"text": message, "label": action.label, "url": action.url})  # type: ignore[arg-type]  # any JSON is kept
