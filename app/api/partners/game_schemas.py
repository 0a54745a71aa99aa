"""The JSON of /api/partners (partner-api.md sections 3 and 5, DECISIONS.md 1, 6, 7, 8)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from app.api.json_shapes import Moment, Sha256, Shape, StoredText
from app.catalog.game_metadata import (
    Address,
    Addresses,
    Description,
    Developer,
    Exact,
    KeepBuilds,
    Languages,
    Launcher,
    Rating,
    ReleaseDate,
    RenpyDir,
    Slug,
    Tags,
    Title,
)
from app.data.models.server import PHASES
from app.fleet.build_states import BuildState


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
    keep_builds: KeepBuilds | None = None

    def metadata(self) -> dict[str, Any]:
        """The game's fields in snake_case, without the slug."""
        return self.model_dump(exclude={"slug"})


class GameChanges(Shape):
    """Only what is sent changes. Null clears a field that a game need not have."""

    # These defaults are never used: a field that was not sent is not in `model_fields_set`.
    title: Title = ""
    slug: Annotated[Exact, Field(max_length=100)] = ""
    developer: Developer = ""
    description: Description = ""
    tags: Tags = []
    launcher: Launcher = ""
    renpy_dir: RenpyDir = ""
    auto_release: bool = False
    thumbnail: Address | None = None
    screenshots: Addresses | None = None
    release_date: ReleaseDate | None = None
    content_rating: Rating | None = None
    languages: Languages | None = None
    keep_builds: KeepBuilds | None = None

    @field_validator(
        "title", "developer", "description", "tags", "launcher", "renpy_dir", "auto_release", "slug", mode="before"
    )
    @classmethod
    def _not_cleared(cls, value: object) -> object:
        if value is None:
            raise ValueError("is required and cannot be cleared; leave it out to keep it")
        return value

    def changes(self) -> dict[str, Any]:
        """The fields that were sent, in snake_case."""
        return self.model_dump(include=self.model_fields_set - {"slug"})


class GameQuery(Shape):
    """`limit`: 1 to 200. Without it, everything is returned. `sort`: by time of creation, oldest first, without it; a
    minus sign reverses an order."""

    status: Literal["active", "pending_upload"] | None = None
    tag: StoredText | None = None
    q: StoredText | None = None
    sort: Literal["created", "-created", "updated", "-updated", "title", "-title"] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] | None = None
    cursor: StoredText | None = None


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
    """Optional fields appear only when they are set. `thumbnail` is null when it is not set. `sentBytes`: what servers
    fetched of all builds, deleted ones included; `savedBytes`: what archives would have taken more."""

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
    sent_bytes: int
    saved_bytes: int
    screenshots: list[str] = []
    release_date: str = ""
    content_rating: str = ""
    languages: list[str] = []
    keep_builds: int = 0


class GameRegistered(Shape):
    id: str
    slug: str
    status: Literal["active", "pending_upload"]


class UploadAnswer(Shape):
    """`warnings`: what the check found that does not refuse the build, such as a program without an execute bit."""

    status: Literal["ok"]
    slug: str
    size: int
    checksum: Sha256
    build: int
    released: bool
    warnings: list[str]


ReplicaPhase = Annotated[str, Field(json_schema_extra={"enum": list(PHASES)})]


class SyncServer(Shape):
    """Bytes are those of the transfer: of an update, the pack or the archive (`source`). `fromBuild`: the build that an
    update starts from. `fallback`: why the archive was used although there is a pack."""

    id: str
    status: Literal["cached", "pending"]
    cached_at: Moment | None
    state: BuildState
    phase: ReplicaPhase
    bytes_done: int
    bytes_total: int
    bytes_per_second: int
    reported_at: Moment | None
    attempt: int
    error: str | None
    source: Literal["archive", "pack", "update"] | None
    from_build: int | None
    fallback: str | None


class Sync(Shape):
    slug: str
    total_servers: int
    cached_on: int
    pending_sync: int
    servers: list[SyncServer]
