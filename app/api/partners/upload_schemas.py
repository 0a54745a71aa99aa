"""The JSON of /api/partners/games/{slug}/uploads."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from app.api.json_shapes import Moment, OptionalLongText, Sha256, Shape, StoredText, Text
from app.api.partners.build_schemas import BuildNumber
from app.catalog.game_metadata import Slug
from app.config.settings import MIB
from app.data.models.game import MAX_VERSION_LABEL
from app.validation import with_pattern


def _sha256(text: str) -> str:
    digest = text.lower().removeprefix("sha256:")
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise ValueError("must be the archive's SHA-256 in 64 hexadecimal digits, with or without 'sha256:' before it")
    return digest


def _file_name(text: str) -> str:
    # Browsers send the bare name. A path is most likely a mistake, and pages would show it as the build's name.
    if re.search(r"[/\\\x00-\x1f\x7f]", text):
        raise ValueError("must be a plain file name, without '/', '\\' or control characters")
    return text


FileName = Annotated[
    StoredText,
    Field(min_length=1, max_length=255),
    AfterValidator(_file_name),
    with_pattern(r"^[^/\\\u0000-\u001f\u007f]*[^/\\\u0000-\u001f\u007f\s][^/\\\u0000-\u001f\u007f]*$"),
]
# JavaScript cannot count further exactly, and no storage accepts as much.
Size = Annotated[int, Field(ge=1, le=2**53 - 1)]
# From the least that every storage accepts. Parts above a few dozen MiB only cost more when they break.
PartSize = Annotated[int, Field(ge=5 * MIB, le=64 * MIB)]
Checksum = Annotated[
    Text,
    StringConstraints(max_length=80),
    AfterValidator(_sha256),
    with_pattern("^(sha256:)?[0-9a-fA-F]{64}$"),
]
VersionLabel = Annotated[StoredText, Field(max_length=MAX_VERSION_LABEL)]
Note = Annotated[OptionalLongText, Field(max_length=2000)]
Phase = Literal["uploading", "checking", "done", "failed"]


class UploadRequestWithoutGame(Shape):
    """`release`: whether the build goes live by itself. The default is the game's setting. `versionLabel`: your own
    name for the build, such as "1.4.2". `partSize`: bytes per part, smaller for a slow line; the response has the size
    that is used."""

    file_name: FileName
    size: Size
    checksum: Checksum | None = None
    note: Note | None = None
    version_label: VersionLabel | None = None
    release: bool | None = None
    part_size: PartSize | None = None


class GameOfUpload(Shape):
    """`game`: the slug of one of your games, which has been registered meanwhile."""

    game: Slug


class UploadRequest(UploadRequestWithoutGame):
    """`release`: whether the build goes live by itself. The default is the game's setting. `versionLabel`: your own
    name for the build, such as "1.4.2". `base`: the file is an update file that was made against this build
    (docs/pack-format.md). `partSize`: bytes per part, smaller for a slow line; the response has the size that is used.
    """

    base: BuildNumber | None = None


class PartsRequest(Shape):
    part_numbers: Annotated[list[Annotated[int, Field(ge=1, le=10_000)]], Field(min_length=1, max_length=100)]


class UploadQuery(Shape):
    phase: Phase | None = None


class PartUrl(Shape):
    """`url` accepts one PUT of exactly `size` bytes, without extra headers."""

    part_number: int
    url: str
    size: int


class PartUrls(Shape):
    urls: list[PartUrl]
    urls_expire_at: Moment


class ArrivedPart(Shape):
    part_number: int
    size: int
    etag: str


class CheckProgress(Shape):
    bytes_read: int
    files_read: int


class UploadRow(Shape):
    """`game` is the slug of the upload's game, null while it has none. `receivedBytes` is null when storage did not
    report it. `silentSince`: since when nothing was received, if the upload counts as stopped. `error` and `reason`
    explain a failed upload. `build` is the number of the build that a done upload became, and `released` whether that
    build went live. `base` is the build that an update file needs, null for an archive."""

    id: str
    game: str | None
    file_name: str
    size: int
    part_size: int
    parts_count: int
    phase: Phase
    received_bytes: int | None
    silent_since: Moment | None
    checksum: Sha256 | None
    note: str | None
    version_label: str | None
    sent_by: str
    created_at: Moment
    expires_at: Moment | None
    check: CheckProgress
    error: str | None
    reason: str | None
    build: int | None
    released: bool | None
    base: int | None


class UploadDetail(UploadRow):
    """`parts`: the parts that storage has received, while the phase is `uploading`. `unchanged`: the upload made no new
    build, because the newest build already had the same bytes. `warnings`: those of the build it became."""

    parts: list[ArrivedPart]
    unchanged: bool
    warnings: list[str]


class UploadOpened(UploadDetail):
    """`urls`: addresses of every part, at most of the first hundred."""

    urls: list[PartUrl]
    urls_expire_at: Moment


class UploadList(Shape):
    uploads: list[UploadRow]
    total: int
