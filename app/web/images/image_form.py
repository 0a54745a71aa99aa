"""The form that sends one image through the app: on the gallery without a script, and in the picker."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import FileField


class ImageForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """One image."""

    file = FileField("Image")
