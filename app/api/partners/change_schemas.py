"""The JSON of /api/partners/games/{slug}/builds/{number}/changes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from app.api.json_shapes import Shape, Text
from app.api.partners.build_schemas import BuildNumber

Kind = Literal["added", "removed", "changed"]


class ChangesQuery(Shape):
    """`against`: the number of the build to compare with; by default the live build, or for the live build itself the
    one that was live before. `kind` and `q` (part of a path, whatever its case and accents) filter.
    `limit`: 1 to 1,000."""

    against: BuildNumber | None = None
    kind: Kind | None = None
    q: Annotated[Text, Field(max_length=1024)] | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: Annotated[Text, Field(max_length=100)] | None = None


class ChangeRow(Shape):
    """A file or link. Sizes are null in the build that does not have it; a hard link has the size of its file.
    `newBytes`: how much of its content the other build has nowhere; 0 for a file that was only moved."""

    path: str
    kind: Kind
    old_size: int | None
    new_size: int | None
    new_bytes: int


class ChangeList(Shape):
    """Paths begin below `topDirectory`, and those of removed files below `topDirectoryAgainst`. `added`, `removed` and
    `changed` count the files that match `q`; `total` those that match `kind` too. `newBytes`: content of all files,
    unpacked, that the other build has nowhere; content that several files have counts once."""

    build: int
    against: int
    top_directory: str
    top_directory_against: str
    added: int
    removed: int
    changed: int
    new_bytes: int
    changes: list[ChangeRow]
    total: int
    next_cursor: str | None = None
