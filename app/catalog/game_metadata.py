"""A game's metadata and the rules for each field, shared by the APIs and the forms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from app.data.models.game import Game
from app.refusals import InvalidRequest
from app.validation import HIDDEN_IN_LINE as _HIDDEN
from app.validation import LongText, Text, sentence, with_pattern

_DATE = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
RESERVED_SLUGS = {"new"}  # /games/new is the page that registers a game


def _slug(text: str) -> str:
    if not SLUG.fullmatch(text):
        raise ValueError(
            "must be lowercase letters and digits with single hyphens between them, such as 'paper-lanterns'"
        )
    if text in RESERVED_SLUGS:
        raise ValueError(f"must not be '{text}', which is the address of the page that registers games")
    return text


def _segment(text: str) -> str:
    if text in {".", ".."} or re.search(r"[/\\\x00-\x1f\x7f]", text):
        raise ValueError("must be a plain file name, without '/', '\\' or control characters")
    return text


def _script(text: str) -> str:
    if not text.endswith(".sh") or text == ".sh":
        raise ValueError("must be a file name that ends in .sh")
    return text


def _date(text: str) -> str:
    try:
        if not re.fullmatch(_DATE, text):
            raise ValueError
        date.fromisoformat(text)
    except ValueError:
        raise ValueError("must be a date written YYYY-MM-DD") from None
    return text


def _address(text: str) -> str:
    # The address becomes the source of an image on a page: only http addresses or a path.
    if re.search(r"[\s\\\x00-\x1f\x7f]", text) or not (_is_http(text) or _is_path(text)):
        raise ValueError("must be an address that begins with https:// or http://, or a path, without spaces")
    return text


def _is_http(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:  # half an IPv6 address
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _is_path(text: str) -> bool:
    return not re.match(r"//|[A-Za-z][A-Za-z0-9+.-]*:", text)


# Slugs are compared exactly: space around one is not removed, unlike in other texts.
Exact = Annotated[str, StringConstraints(strip_whitespace=False)]
Slug = Annotated[
    Exact,
    Field(min_length=1, max_length=100),
    AfterValidator(_slug),
    with_pattern(rf"^(?!({'|'.join(sorted(RESERVED_SLUGS))})$)[a-z0-9]+(-[a-z0-9]+)*$"),
]
Title = Annotated[Text, Field(min_length=1, max_length=200)]
Developer = Annotated[Text, Field(min_length=1, max_length=150)]
Description = Annotated[LongText, Field(min_length=1, max_length=5000)]
Tag = Annotated[Text, Field(min_length=1, max_length=100)]
Tags = Annotated[list[Tag], Field(min_length=1, max_length=10)]
Launcher = Annotated[
    Text,
    Field(min_length=1, max_length=255),
    AfterValidator(_script),
    AfterValidator(_segment),
    with_pattern(rf"^[^/\\{_HIDDEN}]*[^/\\{_HIDDEN}\s]\.sh$"),
]
RenpyDir = Annotated[
    Text,
    Field(min_length=1, max_length=255),
    AfterValidator(_segment),
    with_pattern(rf"^[^/\\{_HIDDEN}]*[^/\\{_HIDDEN}\s.][^/\\{_HIDDEN}]*$"),
]
Address = Annotated[
    Text,
    Field(min_length=1, max_length=2000),
    AfterValidator(_address),
    with_pattern(r"^(https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[!-\[\]-~]*)?|/?[A-Za-z0-9_.-]+(/[!-\[\]-~]*)?)$"),
]
Addresses = Annotated[list[Address], Field(max_length=50)]
ReleaseDate = Annotated[Text, AfterValidator(_date), Field(json_schema_extra={"format": "date", "pattern": _DATE})]
Rating = Annotated[Text, Field(min_length=1, max_length=50)]
Languages = Annotated[list[Annotated[Text, Field(min_length=1, max_length=50)]], Field(max_length=100)]
KeepBuilds = Annotated[int, Field(ge=1, le=1000)]

_CONFIG = ConfigDict(strict=True, str_strip_whitespace=True)
_KINDS: dict[str, Any] = {
    "title": Title,
    "slug": Slug,
    "developer": Developer,
    "description": Description,
    "tags": Tags,
    "launcher": Launcher,
    "renpy_dir": RenpyDir,
    "thumbnail": Address | None,
    "screenshots": Addresses | None,
    "release_date": ReleaseDate | None,
    "content_rating": Rating | None,
    "languages": Languages | None,
    "auto_release": bool,
    "keep_builds": KeepBuilds | None,
}
_RULES: dict[str, TypeAdapter[Any]] = {name: TypeAdapter(kind, config=_CONFIG) for name, kind in _KINDS.items()}

# Needed before a build of the game can be played. A game made through /api/v1 starts with less.
REQUIRED = ("title", "developer", "description", "tags", "launcher", "renpy_dir")


def checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values in their stored form. Raises InvalidRequest with all errors: `fields` maps each name to a phrase that
    follows the name ("must have at most 200 characters")."""
    good: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for name, value in values.items():
        try:
            good[name] = _RULES[name].validate_python(value)
        except ValidationError as error:
            first = error.errors()[0]
            places = [step for step in first["loc"] if isinstance(step, int)]
            wrong[name] = f"entry {places[0] + 1} {sentence(first)}" if places else sentence(first)
    if wrong:
        raise InvalidRequest("; ".join(f"{name} {what}" for name, what in wrong.items()), wrong)
    return good


def missing(game: Game) -> list[str]:
    """The names of required fields that a game made through /api/v1 still lacks."""
    return [name for name in REQUIRED if not getattr(game, name)]
