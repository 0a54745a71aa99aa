"""Which pages may send to storage: those of the portal, and of origins that may call the assets API."""

from __future__ import annotations

from pathlib import Path

import pytest
import urllib3

from app.config import load_settings
from app.storage.cors import page_origins
from app.storage.embedded import EmbeddedStorage

PORTAL = "https://builds.starlight.example"


@pytest.mark.parametrize(
    ("variables", "origins"),
    [
        ({}, ("http://127.0.0.1:8000", "http://localhost:8000")),
        ({"PORT": "80"}, ("http://127.0.0.1", "http://localhost")),
        ({"SLIPWAY_HOST": "192.168.1.5"}, ("http://192.168.1.5:8000",)),
        ({"SLIPWAY_HOST": "::1"}, ("http://[::1]:8000",)),
        ({"SLIPWAY_BASE_URL": "https://Builds.Starlight.example:443"}, (PORTAL,)),
        (
            {"SLIPWAY_BASE_URL": PORTAL, "API_CORS_ORIGINS": f"https://studio.example, {PORTAL}"},
            (PORTAL, "https://studio.example"),
        ),
        ({"SLIPWAY_HOST": "0.0.0.0"}, ()),  # which of this machine's names people use is not known
    ],
)
def test_the_origins_follow_from_the_settings(
    tmp_path: Path, variables: dict[str, str], origins: tuple[str, ...]
) -> None:
    assert page_origins(load_settings({"SLIPWAY_INSTANCE": str(tmp_path), **variables})) == origins


@pytest.mark.slow
def test_the_embedded_storage_answers_pages_of_these_origins_and_no_others(tmp_path: Path) -> None:
    origins = ("http://127.0.0.1:8000", "https://studio.example")
    with EmbeddedStorage(tmp_path / "storage", origins=origins) as access:
        address = f"{access.endpoint}/{access.bucket}/staging/a"
        preflight = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type"}
        allowed = {}
        for origin in (*origins, "https://evil.example", "http://127.0.0.1:8001", "null"):
            answers = [
                urllib3.request("OPTIONS", address, headers=preflight | {"Origin": origin}, retries=False),
                urllib3.request("GET", address, headers={"Origin": origin}, retries=False),
            ]
            allowed[origin] = {answer.headers.get("Access-Control-Allow-Origin") for answer in answers}
    assert allowed == {
        **{origin: {origin} for origin in origins},
        "https://evil.example": {None},
        "http://127.0.0.1:8001": {None},
        "null": {None},
    }
