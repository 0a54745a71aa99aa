"""The JSON of /api/partners/games/{slug}/builds and …/releases."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from app.api.json_shapes import Moment, OptionalLongText, Sha256, Shape, StoredText
from app.catalog.build_filters import BuildFilter
from app.fleet.build_states import BuildState

BuildNumber = Annotated[int, Field(ge=1, le=999_999_999)]


class PageQuery(Shape):
    """`limit`: 1 to 200. Without it, everything is returned."""

    limit: Annotated[int, Field(ge=1, le=200)] | None = None
    cursor: StoredText | None = None


class BuildQuery(PageQuery):
    """`q` is in the number, version label, note, sender or file name. `status`: `released` (it is or was live),
    `unreleased`, or `warnings` (its check found some). `sort`: newest first without it; a minus sign reverses an
    order."""

    q: StoredText | None = None
    status: Literal["released", "unreleased", "warnings"] | None = None
    sort: Literal["number", "-number", "size", "-size", "sender", "-sender"] | None = None

    def filter(self) -> BuildFilter:
        return BuildFilter(self.q or "", self.status or "", self.sort or "", self.limit, self.cursor)


class BuildUpdate(Shape):
    """What a server fetches for a build if it holds build `from`, as `servers` servers do. `preparing`: the update is
    being prepared for them; until it is ready, `bytes` is the size of the archive."""

    from_build: int = Field(alias="from")
    bytes: int
    preparing: bool
    servers: int


class PackState(Shape):
    """The pack from which servers install the build and update to it. `progress`: percent while `making`. `bytes`: of
    its stored objects, when it is `ready`. `reason`: why it is not, for `no_room` and `failed`."""

    state: Literal["waiting", "making", "ready", "no_room", "failed"]
    progress: int | None
    bytes: int | None
    reason: str | None


class BuildRow(Shape):
    """`released`: whether the build is live now. `releasedAt`: when it last went live, or null. `update`: the update
    from the live build; of the live build itself, from the one that was live before. `sentBytes`: what servers fetched
    of it; `savedBytes`: what its archive would have taken more. `pack`: null for builds that no server needs."""

    number: int
    size: int
    checksum: Sha256
    unpacked_bytes: int
    launcher: str
    file_name: str | None
    note: str | None
    version_label: str | None
    sent_by: str
    created_at: Moment
    released: bool
    released_at: Moment | None
    cached_on: int
    update: BuildUpdate | None
    sent_bytes: int
    saved_bytes: int
    warnings: list[str]
    pack: PackState | None


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


class BuildIndex(Shape):
    """The table of the build's pack (docs/pack-format.md). `url` has it compressed, in `bytes`. `sha256` (hex) and
    `size` are of the uncompressed table."""

    url: str
    expires_at: Moment
    bytes: int
    sha256: str
    size: int


class ReleaseRequest(Shape):
    build: BuildNumber


class PreviewQuery(Shape):
    build: BuildNumber


class ReleaseRow(Shape):
    """`live`: whether this is the newest release. `buildKept`: whether the build can be released again.
    `cachedEverywhereAt`: when every server had a copy of the build; null until then, and if another release came
    first."""

    id: int
    build: int
    released_at: Moment
    released_by: str
    live: bool
    build_kept: bool
    cached_everywhere_at: Moment | None


class ReleaseList(Shape):
    releases: list[ReleaseRow]
    total: int
    next_cursor: str | None = None


class ServerForecast(Shape):
    """`has`: builds cached on the server, last released first. `state`: state of the build to release. `bytesToFetch`:
    exact, instead of the archive's `bytesOf`. `way`: how the build comes there; `fromBuild`: the build that an update
    starts from. `preparing`: the server waits for an update that is being prepared; until it is, `bytesToFetch` is the
    most that it can be."""

    id: str
    region: str
    has: list[int]
    state: BuildState
    bytes_to_fetch: int
    bytes_of: int
    way: Literal["none", "update", "pack", "archive"]
    from_build: int | None
    preparing: bool
    free_bytes: int | None
    contact: bool
    paused: bool
    reported_at: Moment | None


class ReleaseForecast(Shape):
    """`live`: the build that is live now. `sessions`: running sessions. They keep their build until they end.
    `warnings`: those of the check of the build."""

    build: int
    live: int | None
    changes: bool
    bytes_to_fetch: int
    bytes_of: int
    preparing: bool
    sessions: int
    servers: list[ServerForecast]
    warnings: list[str]
