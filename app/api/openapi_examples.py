"""Examples for the OpenAPI document: a value for each field by its name, and bodies and responses made of them."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

_MAX_DEPTH = 8
_MOMENT = "2026-03-01T12:00:00Z"
_SHA256 = "6cdfa80e35c0ee72bb6fa8c2dd2f2f3f8a9d9c5a9c7f3b9a0e1d7f6c5b4a3928"
_IMAGE_KEY = "uploads/sh/sha256-bN-oDjXA7nK7b6jC3S8vP4qdnFqcfzuaDh1_bFtKOSg.7k3mz"
_ADDRESS = f"https://slipway.example/{_IMAGE_KEY}"

# By field name. A field with another meaning in one schema is listed as "Schema.field".
EXAMPLES: dict[str, Any] = {
    "agentVersion": "0.1.0",
    "archiveUrl": "https://storage.example/slipway/archives/upload_1?X-Amz-Signature=…",
    "assetId": "a1b2c3",
    "assets": [],
    "attempt": 1,
    "bootId": "3f0c6b1e-5a52-4d3c-9f7e-2b8f6f0a1c11",
    "build": 8,
    "byteSize": 48_213,
    "bytesDone": 52_428_800,
    "bytesPerSecond": 18_000_000,
    "bytesTotal": 524_288_000,
    "checksum": f"sha256:{_SHA256}",
    "componentId": "c4d5e6",
    "containers": 2,
    "contentRating": "Teen",
    "contentType": "image/png",
    "cursor": "8",
    "description": "A quiet story about a festival.",
    "developer": "Kite Works",
    "etag": "9b2cf535f27731c974343645a3985328",
    "externalKey": "my-card-001",
    "fileName": "paper-lanterns-1.2.tar.gz",
    "game": "paper-lanterns",
    "gameId": "game_7kq2m4n8p0r3s5t7v9w1x3",
    "height": 1050,
    "heightMm": 88.9,
    "heightPx": 1050,
    "id": "game_7kq2m4n8p0r3s5t7v9w1x3",
    "key": _IMAGE_KEY,
    "kind": "tile",
    "languages": ["en", "ja"],
    "launcher": "paper-lanterns.sh",
    "limit": 50,
    "message": "No game with slug 'paper-lantern'",
    "mimeType": "image/png",
    "name": "Paper Lanterns",
    "nextCursor": "8",
    "note": "Fixes the ending of chapter 3.",
    "number": 8,
    "parentExternalKey": "main-deck",
    "partNumbers": [1, 2, 3],
    "path": "game_7kq2m4n8p0r3s5t7v9w1x3/8/PaperLanterns-1.2",
    "phase": "cached",
    "placeholder": "3OcRJYB4d3h/iIeHeEh3eIhw+j3A",
    "publicUrl": _ADDRESS,
    "q": "lanterns",
    "region": "fra",
    "releaseDate": "2026-03-01",
    "renpyDir": "PaperLanterns-1698234567",
    "screenshots": ["https://kite.example/one.png"],
    "sentBy": "CI · pp_7k…2m4n",
    "sideKey": "front",
    "signedUrl": "https://storage.example/slipway/staging/staged_1?X-Amz-Signature=…",
    "size": 524_288_000,
    "slug": "paper-lanterns",
    "sourceUrl": _ADDRESS,
    "tag": "Visual Novel",
    "tags": ["Visual Novel"],
    "thumbnail": "https://kite.example/cover.jpg",
    "title": "Paper Lanterns",
    "topDirectory": "PaperLanterns-1.2",
    "url": "https://storage.example/slipway/archives/upload_1?X-Amz-Signature=…",
    "warnings": [],
    "widthMm": 63.5,
    "widthPx": 750,
    "AssetShape.fileName": "card.png",
    "ComponentRequest.name": "My Card",
    "ComponentShape.id": "c4d5e6",
    "ComponentShape.name": "My Card",
    "PresignRequest.fileName": "card.png",
    "PresignRequest.checksum": "sha256-bN+oDjXA7nK7b6jC3S8vP4qdnFqcfzuaDh1/bFtKOSg=",
    "Error.code": "VALIDATION_ERROR",
    "Problem.error": "not_found",
    "SessionReport.id": "session_7kq2m4n8p0r3s5t7v9w1x3",
    "SessionRequest.id": "session_7kq2m4n8p0r3s5t7v9w1x3",
    "SessionAnswer.id": "session_7kq2m4n8p0r3s5t7v9w1x3",
    "PlanServer.id": "srv-01",
    "ServerForecast.id": "srv-01",
    "SyncServer.id": "srv-01",
    "VariantShape.size": 256,
}


def add_examples(schemas: dict[str, Schema]) -> None:
    """Give each field of the schemas its example, if it has none."""
    for owner, schema in schemas.items():
        for name, field in schema.get("properties", {}).items():
            value = EXAMPLES.get(f"{owner}.{name}", EXAMPLES.get(name))
            if value is not None and "examples" not in field and fits(value, field):
                field["examples"] = [value]


def fits(value: Any, field: Schema) -> bool:
    """Whether a value has the type of a field: fields of one name may have several types."""
    if "anyOf" in field:
        return any(fits(value, choice) for choice in field["anyOf"])
    if "const" in field or "enum" in field:
        return value in field.get("enum", [field.get("const")])
    found = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}[type(value)]
    return field.get("type") in ({found, "number"} if found == "integer" else {found})


def example_of(schema: Schema, schemas: dict[str, Schema], depth: int = 0) -> Any:
    """A value of a schema, with every field."""
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rpartition("/")[2]], schemas, depth)
    if schema.get("examples"):
        return schema["examples"][0]
    if "const" in schema or "enum" in schema:
        return schema.get("const", next(iter(schema.get("enum", [])), None))
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0], schemas, depth)
    if "properties" in schema:
        return {name: example_of(field, schemas, depth + 1) for name, field in schema["properties"].items()}
    if isinstance(schema.get("additionalProperties"), dict):
        return {"front": example_of(schema["additionalProperties"], schemas, depth + 1)}
    if schema.get("type") == "array":
        return [example_of(schema["items"], schemas, depth + 1)] if depth < _MAX_DEPTH else []
    if schema.get("format") == "date-time":
        return _MOMENT
    number = schema.get("default", schema.get("minimum", 1))
    return {"integer": number, "number": number, "boolean": True, "null": None}.get(schema.get("type", ""), "text")
