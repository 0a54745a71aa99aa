"""The form for a game's metadata (app/catalog/game_metadata.py)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from wtforms import BooleanField, StringField, TextAreaField

from app.catalog.game_metadata import REQUIRED, checked
from app.data.models.game import Game
from app.refusals import InvalidRequest
from app.web.frame.edit_form import EditForm
from app.web.frame.forms import MarkedRequired

# Fields that hold a list: name -> separator.
_LISTS = {"tags": ",", "languages": ",", "screenshots": "\n"}
_OPTIONAL = ("thumbnail", "screenshots", "release_date", "content_rating", "languages")
_EDITED = (*REQUIRED, *_OPTIONAL, "auto_release")


class GameForm(EditForm):
    """`checked_values` applies the rules of the domain and puts errors beside their fields."""

    title = StringField("Title", [MarkedRequired()])
    slug = StringField("Slug")
    developer = StringField("Developer", [MarkedRequired()])
    renpy_dir = StringField("Save directory", [MarkedRequired()])
    launcher = StringField("Launcher", [MarkedRequired()])
    tags = StringField("Tags", [MarkedRequired()])
    description = TextAreaField("Description", [MarkedRequired()])
    auto_release = BooleanField("Release when ready")
    thumbnail = StringField("Cover")
    screenshots = TextAreaField("Screenshots")
    release_date = StringField("Release date")
    content_rating = StringField("Content rating")
    languages = StringField("Languages")

    @classmethod
    def of(cls, game: Game) -> GameForm:
        """The form with the values of a game."""
        stored = as_typed({name: getattr(game, name) for name in _EDITED})
        form = cls(formdata=None, data=stored)
        form.fill(stored)
        return form

    def checked_values(self, *names: str) -> dict[str, Any]:
        """The named fields as they are stored. If one is invalid, adds the errors to the form and returns {}."""
        values = {name: self._value(name) for name in names}
        try:
            return checked(values)
        except InvalidRequest as refusal:
            for name, what in refusal.fields.items():
                self.add_error(name, _message(self[name].label.text, name, what, values[name]))
            return {}

    def changes(self, game: Game) -> dict[str, Any]:
        """The values that differ from the game, as they are stored. Unchanged fields are not checked: a game created
        through /api/v1 may be completed step by step. Adds an error to each field that somebody else changed too."""
        before = GameForm.of(game)
        self.merge({name: before[name].data for name in _EDITED})
        names = [name for name in _EDITED if self._value(name) != before._value(name)]
        return self.checked_values(*names)

    def add_error(self, name: str, message: str) -> None:
        """Add an error to a field."""
        self[name].errors = [*self[name].errors, message]

    def add_slug_taken(self) -> None:
        """Add the error that the slug belongs to another game."""
        self.add_error("slug", f"Slug “{self.slug.data}” is taken by another of your games")

    @property
    def has_errors(self) -> bool:
        return bool(self.form_errors) or any(field.errors for field in self)

    @property
    def opens_more(self) -> bool:
        """Whether the optional fields are shown unfolded."""
        return any(self[name].data or self[name].errors for name in _OPTIONAL)

    def _value(self, name: str) -> Any:
        data = self[name].data
        if isinstance(data, bool):
            return data
        text = (data or "").replace("\r\n", "\n").strip()
        if name in _LISTS:
            entries = [entry.strip() for entry in text.split(_LISTS[name]) if entry.strip()]
            return entries if entries or name not in _OPTIONAL else None
        return text if text or name not in _OPTIONAL else None


def as_typed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Stored values as text for the fields of the form."""
    joined = {name: mark if mark == "\n" else f"{mark} " for name, mark in _LISTS.items()}
    return {
        name: joined[name].join(value or ()) if name in joined else value if isinstance(value, bool) else value or ""
        for name, value in values.items()
    }


def _message(label: str, name: str, what: str, value: Any) -> str:
    if name == "tags" and not value:
        return "Add at least 1 tag"
    if not value and value is not False:
        return f"{label} is required"
    if name in {"launcher", "renpy_dir"} and not re.search("at most", what):
        return f"{label} {what}. You entered {value}"
    return f"{label} {what}"
