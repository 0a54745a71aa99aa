"""The form that describes a game: the fields of app/catalog/game_metadata.py, as people type them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flask_wtf import FlaskForm
from wtforms import BooleanField, StringField, TextAreaField

from app.catalog.game_metadata import REQUIRED, checked
from app.data.models.game import Game
from app.refusals import InvalidRequest, SlugTaken

# How a list is typed: name -> what stands between its entries.
_LISTS = {"tags": ",", "languages": ",", "screenshots": "\n"}
_OPTIONAL = ("thumbnail", "screenshots", "release_date", "content_rating", "languages")


class GameForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """Without validators: `take` asks the domain's rules and puts what is wrong beside its field."""

    title = StringField("Title")
    slug = StringField("Slug")
    developer = StringField("Developer")
    renpy_dir = StringField("Save directory")
    launcher = StringField("Launcher")
    tags = StringField("Tags")
    description = TextAreaField("Description")
    auto_release = BooleanField("Release when ready")
    thumbnail = StringField("Cover")
    screenshots = TextAreaField("Screenshots")
    release_date = StringField("Release date")
    content_rating = StringField("Content rating")
    languages = StringField("Languages")

    @classmethod
    def of(cls, game: Game) -> GameForm:
        """The form as this game fills it."""
        return cls(
            formdata=None,
            data=as_typed({name: getattr(game, name) for name in (*REQUIRED, *_OPTIONAL, "auto_release")}),
        )

    def take(self, *names: str) -> dict[str, Any]:
        """The named fields as they are stored; the rules' complaints on the form and {} when something is wrong."""
        values = {name: self._value(name) for name in names}
        try:
            return checked(values)
        except InvalidRequest as refusal:
            for name, what in refusal.fields.items():
                self.wrong(name, _message(self[name].label.text, name, what, values[name]))
            return {}

    def changes(self, game: Game) -> dict[str, Any]:
        """What differs from the game, as it is stored. A field that was left as it is is not judged: a game made
        through /api/v1 may be completed step by step."""
        before = GameForm.of(game)
        names = [name for name in (*REQUIRED, *_OPTIONAL, "auto_release") if self._value(name) != before._value(name)]
        return self.take(*names)

    def wrong(self, name: str, message: str) -> None:
        """Put one more complaint beside a field."""
        self[name].errors = [*self[name].errors, message]

    def taken(self, refusal: SlugTaken) -> None:
        """The slug belongs to another game."""
        self.wrong("slug", f"Slug “{self.slug.data}” is taken by another of your games")

    @property
    def has_errors(self) -> bool:
        return bool(self.form_errors) or any(field.errors for field in self)

    @property
    def opens_more(self) -> bool:
        """Whether the fields that may be left out are shown at once."""
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
    """Stored values as they stand in the fields of the form."""
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
