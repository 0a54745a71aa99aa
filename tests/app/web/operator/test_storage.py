"""Storage as operators see it: whether it answers, and what a check finds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from app.data.database import writing
from app.data.models.base import new_id, now
from app.data.models.game import Build
from app.data.models.pack import BuildPack
from app.data.models.upload import Upload
from app.storage.availability import storage_status
from app.storage.bucket import Bucket, StorageError, bucket
from tests.app.web import scenes
from tests.app.web.conftest import HTMX, Visitor
from tests.app.web.scenes import GB, Sent
from tests.conftest import Cast

PAGE = "/operator/storage"


@pytest.fixture
def operator(cast: Cast, signed_in: Callable[[str], Visitor]) -> Visitor:
    return signed_in(cast.operator)


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text.replace("\u00a0", " "))).strip()


def put(key: str, size: int = 10) -> None:
    """An object of so many bytes."""
    multipart = bucket().start_multipart(key)
    etag = bucket().put_part(key, multipart, 1, [b"x" * size])
    bucket().complete_multipart(key, multipart, [etag])


@pytest.fixture
def unreachable(app: Flask) -> Iterator[None]:
    """Nobody listens any more where the bucket was, and a call has found out."""
    settings = app.config["SLIPWAY"].storage
    app.extensions["slipway_bucket"] = Bucket(replace(settings, endpoint="http://127.0.0.1:9"))
    with pytest.raises(StorageError):
        bucket().ping()
    yield
    storage_status.clear()


def test_reachable_storage_says_so_with_what_the_rows_know(operator: Visitor, cast: Cast) -> None:
    game_id = scenes.add_game(cast.starlight.partner_id, "Low Tide", "low-tide", [Sent(GB), Sent(2 * GB)])
    scenes.delete(scenes.add_game(cast.moonbase.partner_id, "Old", "old", [Sent(GB)]))
    with writing() as session:
        session.add(
            Upload(id=new_id("upload"), game_id=game_id, object_key="archives/x", sent_by="CI", reserved_bytes=5 * GB)
        )
        build_id = session.scalars(select(Build.id).where(Build.game_id == game_id).limit(1)).one()
        session.add(BuildPack(build_id=build_id, state="ready", folder="packs/x", pack_bytes=GB, index_bytes=GB))
    text = plain(operator.get(PAGE).text)
    for words in (
        "Reachable",
        "Size of builds 3.7 GiB",
        "Size of packs 1.9 GiB",
        "Builds 3",
        "Size of deleted games 954 MiB",
        "1 for 4.7 GiB",
    ):
        assert words in text


def test_unreachable_storage_says_since_when(operator: Visitor, cast: Cast, unreachable: None) -> None:
    page = operator.get(PAGE)
    assert page.status_code == 200
    assert "<title>(unreachable) Storage · Slipway</title>" in page.text
    text = plain(page.text[page.text.index('id="storage-state"') :])
    assert re.search(r"Unreachable since .* Next try at \d\d:\d\d:\d\d UTC", text)


def test_the_parts_are_looked_at_again_by_themselves(operator: Visitor, cast: Cast, app: Flask) -> None:
    first = operator.get(f"{PAGE}/parts", headers=HTMX)
    assert re.findall(r'hx-swap-oob="morph" id="([^"]+)"', first.text) == ["storage-state", "storage-facts"]
    again = operator.get(f"{PAGE}/parts", headers=HTMX | {"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    for entry in app.extensions["slipway_live"]._entries.values():
        assert now() < entry.rendered.changes_at < now() + timedelta(seconds=30)
    answer = operator.get(f"{PAGE}/live", headers={"Accept": "text/event-stream"}, buffered=False)
    events = iter(answer.iter_encoded())
    assert b"event: beat" in next(events)
    assert b'id="storage-state"' in next(events)
    answer.close()


def test_a_check_names_builds_without_bytes_and_objects_without_rows(operator: Visitor, cast: Cast) -> None:
    assert "Finds builds whose object is missing" in plain(operator.get(PAGE).text)
    scenes.add_game(cast.starlight.partner_id, "Low Tide", "low-tide", [Sent(GB)])
    put("archives/orphan.tar.gz", 1234)
    bucket().start_multipart("archives/never-finished.tar.gz")
    answer = operator.post(f"{PAGE}/checks")
    assert answer.status_code == 200
    text = plain(answer.text)
    assert "Builds with a missing object, or one of another size 1 of 1 build" in text
    assert "low-tide, build 1" in text
    assert "Unused objects 1 object, 1 KiB" in text
    assert "archives/orphan.tar.gz 1 KiB" in text
    assert "Unused unfinished transfers 1" in text
    assert "Restore them from a backup, or send the build again" in text
    assert bucket().stat("archives/orphan.tar.gz"), "a check changes nothing"


def test_a_check_that_finds_nothing_says_so(operator: Visitor, cast: Cast) -> None:
    text = plain(operator.post(f"{PAGE}/checks").text)
    assert "Builds with a missing object, or one of another size 0 of 0 builds" in text
    assert "Unused objects 0 " in text


def test_a_check_of_unreachable_storage_says_that_nothing_was_checked(
    operator: Visitor, cast: Cast, unreachable: None
) -> None:
    answer = operator.post(f"{PAGE}/checks")
    assert answer.status_code == 503
    assert "Nothing was checked" in answer.text
    assert "Storage is unreachable" in answer.text


def test_storage_is_shown_by_partner_and_by_game(operator: Visitor, cast: Cast) -> None:
    assert "No builds are stored yet." in plain(operator.get(PAGE).text)
    scenes.add_game(cast.moonbase.partner_id, "Night Ferry", "night-ferry", [Sent(7_200_000_000)])
    for number in range(12):
        scenes.add_game(cast.starlight.partner_id, f"Tide {number:02}", f"tide-{number}", [Sent(2_000_000_000)])
    page = operator.get(PAGE).text
    text = plain(page)
    assert re.search(r"By partner Largest: .+, 22\.4 GiB\. .* 12 games 22\.4 GiB .* 1 game 6\.7 GiB", text)
    assert "By game Largest: Night Ferry, 6.7 GiB." in text
    assert "Tide 08" in text
    assert "Tide 09" not in text
    assert "3 more games use less." in text
    assert f'href="/operator/partners/{cast.moonbase.partner_id}"' in page
