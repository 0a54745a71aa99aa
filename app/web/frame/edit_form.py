"""Forms that change what is stored, while somebody else may be changing the same in another tab."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from flask_wtf import FlaskForm
from wtforms import HiddenField

MAX_QUOTED = 80  # characters of a value in a message


class EditForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """`seen` has a digest of each stored value that the form was filled with. A value that differs from it when the
    form is sent was changed by somebody else meanwhile."""

    seen = HiddenField()

    def fill(self, stored: Mapping[str, Any]) -> None:
        """Record the stored values that the fields show: field name -> data of the field."""
        self.seen.data = json.dumps({name: _digest(value) for name, value in stored.items()})

    def merge(self, stored: Mapping[str, Any]) -> bool:
        """Compare with the values that are stored now. A field that only somebody else changed takes over their value.
        A field that both changed keeps what was typed, with an error; sending the form again replaces theirs. Returns
        whether there is such a field. Call it after `validate()`, which empties the errors."""
        seen, conflict = _read(self.seen.data), False
        for name, value in stored.items():
            field = self[name]
            if seen.get(name, _digest(value)) == _digest(value) or _digest(field.data) == _digest(value):
                continue
            if _digest(field.data) == seen[name]:
                field.data = value
            else:
                field.errors = [*field.errors, _changed_meanwhile(field.label.text, value)]
                conflict = True
        self.fill(stored)
        return conflict


def _changed_meanwhile(label: str, value: Any) -> str:
    text = " ".join(_plain(value).split())
    short = text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}…"
    now = f"It is now “{short}”" if short else "It is now empty"
    return f"{label} was changed after you opened this form. {now}. Save again to replace it with yours"


def _read(seen: str | None) -> dict[str, str]:
    try:
        found = json.loads(seen or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _plain(value: Any) -> str:
    """As a browser sends it back: no difference between None and an empty field, or in line ends."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value).replace("\r\n", "\n").strip()


def _digest(value: Any) -> str:
    return hashlib.sha256(_plain(value).encode()).hexdigest()[:16]
