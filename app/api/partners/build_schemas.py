"""The JSON of /api/partners/games/{slug}/builds and …/releases."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from app.api.json_shapes import Moment, OptionalLongText, Sha256, Shape, StoredText

BuildNumber = Annotated[int, Field(ge=1, le=999_999_999)]


class PageQuery(Shape):
    """`limit`: 1 to 200. Without it, everything is returned."""

    limit: Annotated[int, Field(ge=1, le=200)] | None = None
    cursor: StoredText | None = None


class BuildRow(Shape):
    """`released`: whether the build is live now. `releasedAt`: when it last went live, or null."""

    number: int
    size: int
    checksum: Sha256
    unpacked_bytes: int
    launcher: str
    file_name: str | None
    note: str | None
    sent_by: str
    created_at: Moment
    released: bool
    released_at: Moment | None
    cached_on: int
    warnings: list[str]


class BuildList(Shape):
    builds: list[BuildRow]
    total: int
    next_cursor: str | None = None


class BuildNote(Shape):
    """A `note` that is null or empty removes the note."""

    note: Annotated[OptionalLongText, Field(max_length=2000)] | None = None

    @field_validator("note")
    @classmethod
    def _none_if_empty(cls, value: str | None) -> str | None:
        return value or None


class BuildDownload(Shape):
    url: str
    expires_at: Moment


class ReleaseRequest(Shape):
    build: BuildNumber


class PreviewQuery(Shape):
    build: BuildNumber


class ReleaseRow(Shape):
    """`live`: whether this is the newest release. `buildKept`: whether the build can be released again."""

    id: int
    build: int
    released_at: Moment
    released_by: str
    live: bool
    build_kept: bool


class ReleaseList(Shape):
    releases: list[ReleaseRow]
    total: int
    next_cursor: str | None = None


# The states of `state_of` in app/fleet/rollout.py.
FORECAST_STATES = (
    "not_sent",
    "no_contact",
    "queued",
    "downloading",
    "verifying",
    "cached",
    "retrying",
    "failed",
    "removing",
    "removed",
)
ForecastState = Annotated[str, Field(json_schema_extra={"enum": list(FORECAST_STATES)})]


class ServerForecast(Shape):
    """`has`: builds cached on the server, last released first. `state`: state of the build to release."""

    id: str
    region: str
    has: list[int]
    state: ForecastState
    bytes_to_fetch: int
    bytes_of: int
    free_bytes: int | None
    contact: bool
    paused: bool
    reported_at: Moment | None


class ReleaseForecast(Shape):
    """`live`: the build that is live now. `sessions`: running sessions. They keep their build until they end."""

    build: int
    live: int | None
    changes: bool
    bytes_to_fetch: int
    sessions: int
    servers: list[ServerForecast]
