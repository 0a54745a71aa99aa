"""The JSON of /api/v1 (assets-api.md sections 4 to 7, DECISIONS.md 1, 11, 12, 13)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PlainSerializer, WithJsonSchema, field_validator

from app.api.json_shapes import Moment, Shape, StoredText, Text
from app.components.component_kinds import ALIASES, KINDS
from app.images.image_limits import IMAGE_TYPES, MAX_IMAGE_BYTES, image_type, wrong_image_type
from app.images.object_keys import parse_checksum
from app.validation import with_pattern

# Times of assets, components and revisions: whole milliseconds since 1970, UTC.
Milliseconds = Annotated[
    datetime,
    PlainSerializer(lambda at: int(at.timestamp() * 1000), int),
    WithJsonSchema(
        {
            "type": "integer",
            "format": "int64",
            "description": "Milliseconds since 1970, UTC.",
            "examples": [1772366400000],
        },
        mode="serialization",
    ),
]


def _checksum(text: str) -> str:
    parse_checksum(text)
    return text


def _image_type(text: str) -> str:
    found = image_type(text)
    if found is None:
        raise ValueError(wrong_image_type(text))
    return found


def _named_image_type(text: str) -> str:
    """The name as it was sent, if it is one of an accepted type."""
    _image_type(text)
    return text


Name = Annotated[Text, Field(min_length=1, max_length=256)]
_TYPES = Field(json_schema_extra={"enum": list(IMAGE_TYPES)})
ImageType = Annotated[Text, AfterValidator(_image_type), _TYPES]
ImageChecksum = Annotated[
    Text, AfterValidator(_checksum), with_pattern("^sha256-[A-Za-z0-9+/_-]{42}[AEIMQUYcgkosw048]=?$")
]
ByteSize = Annotated[int, Field(ge=1, le=MAX_IMAGE_BYTES)]


class NewGame(Shape):
    name: Name


class GameShape(Shape):
    id: str
    name: str
    created_at: Moment


class GameListShape(Shape):
    games: list[GameShape]
    next_cursor: str | None = None


class Paging(Shape):
    """`limit`: 1 to 200. Without it, everything is returned."""

    limit: Annotated[int, Field(ge=1, le=200)] | None = None
    cursor: StoredText | None = None


class PresignRequest(Shape):
    file_name: Annotated[StoredText, Field(min_length=1, max_length=256)]
    content_type: Annotated[Text, AfterValidator(_named_image_type), _TYPES]
    byte_size: ByteSize
    checksum: Annotated[
        Text, AfterValidator(_checksum), with_pattern("^sha256-[A-Za-z0-9+/_-]{42}[AEIMQUYcgkosw048]=?$")
    ]


class PresignAnswer(Shape):
    signed_url: str
    key: str
    public_url: str
    content_type: str


class ConfirmRequest(Shape):
    key: Annotated[Text, Field(min_length=1, max_length=512)]
    public_url: Annotated[Text, Field(min_length=1, max_length=4096)]
    byte_size: ByteSize
    content_type: ImageType


class ConfirmAnswer(Shape):
    ok: Literal[True]


class OriginalAnswer(Shape):
    """`url`: where the original file can be downloaded until `expiresAt`."""

    url: str
    expires_at: Milliseconds


class AssetShape(Shape):
    id: str
    component_id: str | None
    kind: Literal["image"]
    source_url: str
    mime_type: str
    width_px: int
    height_px: int
    created_at: Milliseconds
    key: str
    file_name: str
    byte_size: int


class AssetListShape(Shape):
    assets: list[AssetShape]
    next_cursor: str | None = None


Pixels = Annotated[float, Field(ge=0, le=10_000_000, allow_inf_nan=False)]
Millimetres = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]
SideKey = Annotated[Text, Field(min_length=1, max_length=64)]


class FaceRequest(Shape):
    """An image for a side. `contentType`, `widthPx` and `heightPx` are ignored: the values are read from the file."""

    side_key: SideKey
    key: Annotated[Text, Field(min_length=1, max_length=512)]
    source_url: Annotated[Text, Field(min_length=1, max_length=4096)]
    content_type: Annotated[Text, Field(min_length=1, max_length=256)]
    width_px: Pixels
    height_px: Pixels


class ComponentRequest(Shape):
    """Fields and sides that are left out do not change. Null clears a field."""

    kind: Annotated[Text, Field(json_schema_extra={"enum": [*KINDS, *ALIASES]})]
    name: Name
    external_key: Annotated[Text, Field(min_length=1, max_length=256)]
    parent_external_key: Annotated[Text, Field(min_length=1, max_length=256)] | None = None
    width_mm: Millimetres | None = None
    height_mm: Millimetres | None = None
    assets: Annotated[list[FaceRequest], Field(max_length=100)] = []

    @field_validator("assets")
    @classmethod
    def _one_image_per_side(cls, faces: list[FaceRequest]) -> list[FaceRequest]:
        sides = [face.side_key for face in faces]
        for side in sides:
            if sides.count(side) > 1:
                raise ValueError(f"names the side '{side}' twice")
        return faces


class BatchRequest(Shape):
    components: Annotated[list[ComponentRequest], Field(min_length=1, max_length=100)]


class VariantShape(Shape):
    size: int
    url: str
    width_px: int
    height_px: int
    content_type: str
    byte_size: int


class FaceShape(Shape):
    """`derivation`: state of the `variants`, which are made in the background. `placeholder`: a ThumbHash in base64."""

    asset_id: str
    source_url: str
    content_type: str
    width_px: int
    height_px: int
    derivation: Literal["pending", "ready", "failed"]
    placeholder: str | None
    variants: list[VariantShape]


class PayloadShape(Shape):
    image_faces: dict[str, FaceShape]


class ComponentShape(Shape):
    id: str
    kind: str
    name: str
    external_key: str
    parent_external_key: str | None
    width_mm: float | None
    height_mm: float | None
    payload: PayloadShape
    created_at: Milliseconds
    updated_at: Milliseconds


class ComponentListShape(Shape):
    components: list[ComponentShape]
    next_cursor: str | None = None


class BatchAnswer(Shape):
    components: list[ComponentShape]


RevisionNumber = Annotated[int, Field(ge=1, le=2**31 - 1)]


class RevisionQuery(Shape):
    """`revision`: number of the revision to read. The default is the draft."""

    revision: RevisionNumber | None = None


class ComponentQuery(Paging):
    """`revision`: number of the revision to read. The default is the draft."""

    revision: RevisionNumber | None = None


class RevisionShape(Shape):
    number: int
    state: Literal["draft", "finalized"]
    component_count: int
    created_at: Milliseconds
    finalized_at: Milliseconds | None
    finalized_by: str | None


class RevisionListShape(Shape):
    revisions: list[RevisionShape]
