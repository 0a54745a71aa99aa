"""The JSON of /api/partners (partner-api.md sections 3 and 5, DECISIONS.md 1, 6, 7, 8)."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, field_validator

from app.api.schema import Moment, Shape, Text

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def _slug(text: str) -> str:
    if not SLUG.fullmatch(text):
        raise ValueError(
            "must be lowercase letters and digits with single hyphens between them, such as 'paper-lanterns'"
        )
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
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            raise ValueError
        date.fromisoformat(text)
    except ValueError:
        raise ValueError("must be a date written YYYY-MM-DD") from None
    return text


def _address(text: str) -> str:
    # It becomes the source of an image on a page: only what a browser fetches over http, or a path.
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


# A slug is compared letter by letter: what is around it is not taken off as it is for texts.
Exact = Annotated[str, StringConstraints(strip_whitespace=False)]
Slug = Annotated[Exact, Field(min_length=1, max_length=100), AfterValidator(_slug)]
Title = Annotated[Text, Field(min_length=1, max_length=200)]
Developer = Annotated[Text, Field(min_length=1, max_length=150)]
Description = Annotated[Text, Field(min_length=1, max_length=5000)]
Tag = Annotated[Text, Field(min_length=1, max_length=100)]
Tags = Annotated[list[Tag], Field(min_length=1, max_length=10)]
Launcher = Annotated[Text, Field(min_length=1, max_length=255), AfterValidator(_segment), AfterValidator(_script)]
RenpyDir = Annotated[Text, Field(min_length=1, max_length=255), AfterValidator(_segment)]
Address = Annotated[Text, Field(min_length=1, max_length=2000), AfterValidator(_address)]
Addresses = Annotated[list[Address], Field(max_length=50)]
ReleaseDate = Annotated[Text, AfterValidator(_date)]
Rating = Annotated[Text, Field(min_length=1, max_length=50)]
Languages = Annotated[list[Annotated[Text, Field(min_length=1, max_length=50)]], Field(max_length=100)]


class GameRegistration(Shape):
    title: Title
    slug: Slug
    developer: Developer
    description: Description
    tags: Tags
    launcher: Launcher
    renpy_dir: RenpyDir
    thumbnail: Address | None = None
    screenshots: Addresses | None = None
    release_date: ReleaseDate | None = None
    content_rating: Rating | None = None
    languages: Languages | None = None
    auto_release: bool = True

    def metadata(self) -> dict[str, Any]:
        """The game's fields by our names, without the slug."""
        return self.model_dump(exclude={"slug"})


class GameChanges(Shape):
    title: Title | None = None
    slug: Exact | None = None
    developer: Developer | None = None
    description: Description | None = None
    tags: Tags | None = None
    launcher: Launcher | None = None
    renpy_dir: RenpyDir | None = None
    thumbnail: Address | None = None
    screenshots: Addresses | None = None
    release_date: ReleaseDate | None = None
    content_rating: Rating | None = None
    languages: Languages | None = None
    auto_release: bool | None = None

    @field_validator(
        "title", "developer", "description", "tags", "launcher", "renpy_dir", "auto_release", "slug", mode="before"
    )
    @classmethod
    def _not_cleared(cls, value: object) -> object:
        if value is None:
            raise ValueError("is required and cannot be cleared; leave it out to keep it")
        return value

    def changes(self) -> dict[str, Any]:
        """Only what was sent, by our names."""
        return self.model_dump(include=self.model_fields_set - {"slug"})


class GameQuery(Shape):
    """`limit` 1 to 200; without it everything is returned."""

    status: Literal["active", "pending_upload"] | None = None
    tag: Text | None = None
    q: Text | None = None
    limit: Annotated[int, Field(ge=1, le=200)] | None = None
    cursor: Text | None = None


class GameRow(Shape):
    id: str
    slug: str
    title: str
    developer: str
    tags: list[str]
    status: Literal["active", "pending_upload"]
    created_at: Moment
    updated_at: Moment


class GameList(Shape):
    games: list[GameRow]
    total: int
    next_cursor: str | None = None


class CacheStatus(Shape):
    servers: int
    cached: int


class GameDetail(Shape):
    """Optional fields appear when they are set; `thumbnail` is null when it is not."""

    id: str
    slug: str
    title: str
    developer: str
    description: str
    tags: list[str]
    launcher: str
    renpy_dir: str
    thumbnail: str | None
    status: Literal["active", "pending_upload"]
    cache_status: CacheStatus
    auto_release: bool
    released_build: int | None
    screenshots: list[str] = []
    release_date: str = ""
    content_rating: str = ""
    languages: list[str] = []


class GameRegistered(Shape):
    id: str
    slug: str
    status: Literal["active", "pending_upload"]


class UploadAnswer(Shape):
    status: Literal["ok"]
    slug: str
    size: int
    checksum: str
    build: int
    released: bool


class SyncServer(Shape):
    id: str
    status: Literal["cached", "pending"]
    cached_at: Moment | None
    phase: str
    bytes_done: int
    bytes_total: int
    bytes_per_second: int
    reported_at: Moment | None
    attempt: int
    error: str | None


class Sync(Shape):
    slug: str
    total_servers: int
    cached_on: int
    pending_sync: int
    servers: list[SyncServer]


class Problem(Shape):
    """The flat envelope of every error."""

    error: str
    message: str
