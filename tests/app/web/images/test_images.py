"""The gallery of a game, one image of it, and new ones; without a script."""

from __future__ import annotations

import html
import io
import re
from typing import Any

import pytest
import urllib3
from flask.testing import FlaskClient
from sqlalchemy import select

from app.accounts.sign_ins import sign_out_everywhere
from app.config.settings import settings
from app.data.database import announce, writing
from app.data.extensions import db
from app.data.models.asset import Asset, Blob
from app.data.models.partner import Member
from app.images.game_pictures import pictures_of
from app.limits import thread_budgets
from app.limits.slots import Owner
from app.storage.availability import storage_status
from app.topics.names import assets_topic
from app.web.images import gallery_view
from tests.app.api.v1.calling import announced, answered, put, refused
from tests.app.fleet.counting import statements
from tests.app.images.images import picture
from tests.app.images.test_metadata import jpeg_with_everything
from tests.app.web import asset_scenes, scenes
from tests.app.web.conftest import BOOSTED, HTMX, ONE_DATABASE, Visitor
from tests.app.web.reading import afresh, errors, one_line, plain
from tests.conftest import CAST, Cast

pytestmark = ONE_DATABASE

PAGE = "/games/paper-lanterns/assets"
ROUTES = [PAGE, f"{PAGE}/parts", f"{PAGE}/live"]


@pytest.fixture
def game_id(cast: Cast) -> str:
    return scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns")


@pytest.fixture
def card(game_id: str) -> str:
    """One image, with its sizes; its id."""
    return asset_scenes.add_image(game_id, "card.png", asset_scenes.back())


def send(visitor: Visitor, data: bytes | None, name: str = "card.png") -> Any:
    form = {"file": (io.BytesIO(data), name)} if data is not None else {}
    return visitor.post(PAGE, form, content_type="multipart/form-data")


def test_the_file_as_it_was_sent_is_for_members_alone(
    viewer: Visitor, stranger: Visitor, visitor: Visitor, game_id: str
) -> None:
    photo = jpeg_with_everything(orientation=6)
    asset_id = asset_scenes.add_image(game_id, 'my "photo" é.jpg', photo)
    page = viewer.get(f"{PAGE}/{asset_id}").text
    assert f'href="{PAGE}/{asset_id}/original"' in page
    answer = viewer.get(f"{PAGE}/{asset_id}/original")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (302, "no-store")
    stored = urllib3.request("GET", answer.headers["Location"], retries=False)
    assert stored.data == photo
    assert stored.headers["Content-Disposition"] == 'attachment; filename="my _photo_ _.jpg"'
    assert stranger.get(f"{PAGE}/{asset_id}/original").status_code == 404
    assert visitor.get(f"{PAGE}/{asset_id}/original").headers["Location"].startswith("/sign-in")


def test_who_sees_what(
    owner: Visitor, viewer: Visitor, stranger: Visitor, visitor: Visitor, card: str, cast: Cast
) -> None:
    detail = f"{PAGE}/{card}"
    writes = [f"{detail}/{what}" for what in ("deletion", "restoration", "cover", "cover/deletion", "screenshot")]
    writes += [PAGE]
    for path in [*ROUTES, detail]:
        assert visitor.get(path).status_code == 302, path
        assert stranger.get(path).status_code == 404, path
        answer = viewer.get(path, buffered=False)
        assert answer.status_code == 200, path
        answer.close()
    for path in writes:
        assert visitor.post(path).status_code == 302, path
        assert stranger.post(path).status_code == 404, path
        assert viewer.post(path).status_code == 403, path
    for path in (PAGE, detail):
        page = viewer.get(path).text
        assert "card.png" in page
        assert f'method="post" action="{PAGE}' not in page, "a viewer has nothing to press"
    assert f'method="post" action="{detail}/deletion"' in owner.get(detail).text


def test_a_tile_says_what_an_image_is_and_what_shows_it(owner: Visitor, game_id: str, card: str) -> None:
    asset_scenes.add_component(game_id, "tile", "Lantern Keeper", "card-001", faces={"front": card})
    asset_scenes.add_image(game_id, "loose.png", picture(), made=False)
    page = owner.get(PAGE).text
    assert "<title>Images: Paper Lanterns · Slipway</title>" in page
    words = plain(page)
    assert "Making sizes The image itself is stored loose.png 75 × 105" in words
    assert "card.png 375 × 525 · 5 KiB Lantern Keeper, front" in words
    assert "All 2 In use 1 Not used 1" in words
    assert "2 images in all games, 1 not used anywhere" in words
    assert "Images 2 Components 1" in words
    tile = re.search(rf'id="asset-{card}".*?</li>', page, re.DOTALL)
    assert tile
    assert re.search(r'src="/uploads/sh/sha256-\S+\.v1-256\.webp"', tile[0])
    assert re.search(r'<canvas width="23" height="32" data-thumbhash="[\w+/=]{20,}"', one_line(tile[0]))


def test_filters_are_in_the_address(owner: Visitor, game_id: str, card: str, cast: Cast) -> None:
    asset_scenes.add_image(game_id, "Board.png", picture(), made=False)
    asset_scenes.add_component(game_id, "tile", "Lantern Keeper", "card-001", faces={"front": card})

    def names(query: str) -> list[str]:
        return re.findall(r'class="name"[^>]*>([^<]+)<', owner.get(f"{PAGE}?{query}").text)

    assert names("") == ["Board.png", "card.png"]
    assert names("q=BOARD") == ["Board.png"]
    assert names("used=yes") == ["card.png"]
    assert names("used=no&q=card") == []
    assert names("used=wrong") == ["Board.png", "card.png"]
    assert "No images match “lamp”" in owner.get(f"{PAGE}?q=lamp").text
    assert owner.get(f"{PAGE}?after=nonsense").status_code == 400
    poll = owner.get(f"{PAGE}/parts?q=board", headers=HTMX)
    assert "Board.png" in poll.text
    assert "card.png" not in poll.text
    again = owner.get(f"{PAGE}/parts?q=board", headers=HTMX | {"If-None-Match": poll.headers["ETag"]})
    assert again.status_code == 304


def test_the_counts_on_the_tabs_are_live_whatever_the_filter_is(owner: Visitor, game_id: str, card: str) -> None:
    def counts(page: str) -> list[str]:
        return re.findall(r'class="tab-count"[^>]*id="(?:images|components)-count">([^<]+)<', one_line(page))

    url = f"{PAGE}/parts?q=nothing"
    assert counts(owner.get(PAGE).text) == ["1", "0"]
    asset_scenes.add_image(game_id, "Board.png", picture(), made=False)
    asset_scenes.add_component(game_id, "tile", "Lantern Keeper", "card-001", faces={"front": card})
    for parts in (url, "/games/paper-lanterns/components/parts?q=nothing"):
        poll = owner.get(parts, headers=HTMX).text
        assert counts(poll) == ["2", "1"], parts
        assert 'hx-swap-oob="morph" id="images-count"' in poll, parts


def test_the_gallery_is_sorted_and_has_pages(owner: Visitor, game_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("b 2.png", 40), ("A.png", 60), ("c.png", 50)):
        asset_scenes.add_image(game_id, name, picture(size, size), made=False)

    def pages(query: str) -> list[str]:
        """The names on all pages, one after another."""
        found, path = [], f"{PAGE}?{query}"
        while path:
            page = html.unescape(owner.get(path).text)
            found += re.findall(r'class="name"[^>]*>([^<]+)<', page)
            links = re.findall(r'href="([^"]+)">Next page<', page)
            path = links[0] if links else ""
        return found

    monkeypatch.setattr(gallery_view, "IMAGES_PER_PAGE", 1)
    assert pages("") == pages("sort=wrong") == ["c.png", "A.png", "b 2.png"]
    assert pages("sort=oldest") == ["b 2.png", "A.png", "c.png"]
    assert pages("sort=name") == ["A.png", "b 2.png", "c.png"]
    assert pages("sort=largest") == ["A.png", "c.png", "b 2.png"]
    assert pages("sort=name&q=png&used=no") == ["A.png", "b 2.png", "c.png"]
    for sort in ("oldest", "name", "largest"):
        for wrong in ("nonsense", "MQ", "LTEgYQ", "MDAgYQ"):
            status = owner.get(f"{PAGE}?sort={sort}&after={wrong}").status_code
            assert status == 400 or (sort, wrong) == ("largest", "MDAgYQ")
    assert '<option value="name" selected>By name</option>' in owner.get(f"{PAGE}?sort=name").text


def test_the_gallery_costs_the_same_for_many_as_for_few(owner: Visitor, game_id: str, card: str) -> None:
    def queries() -> int:
        with statements() as sent:
            assert owner.get(PAGE).status_code == 200
        return sent.queries

    queries()  # the state of the game's releases is remembered from now on
    asset_scenes.add_component(game_id, "tile", "Lantern Keeper", "card-001", faces={"front": card})
    few = queries()
    for seed in range(4):
        other = asset_scenes.add_image(game_id, f"{seed}.png", picture(20, 28, seed=seed), made=seed % 2 == 0)
        asset_scenes.add_component(game_id, "tile", f"Tile {seed}", f"t{seed}", faces={"front": other, "back": card})
    assert queries() == few <= 20


def test_the_detail_is_a_page_and_the_inside_of_a_dialog(owner: Visitor, game_id: str, card: str) -> None:
    asset_scenes.add_component(game_id, "tile", "Lantern Keeper", "card-001", faces={"front": card})
    page = owner.get(f"{PAGE}/{card}").text
    words = plain(page)
    for text in (
        "375 × 525 pixels",
        "PNG, 5 KiB",
        "by the cast",
        "App Dashboard",
        "Lantern Keeper card-001 Tile, front",
    ):
        assert text in words
    assert re.search(r"183 × 256 , \d KiB 375 × 525 , \d KiB", words)
    assert "<html" in page
    inside = owner.get(f"{PAGE}/{card}", headers=HTMX).text
    assert "<html" not in inside
    assert 'id="dialog-title"' in inside
    assert "<html" in owner.get(f"{PAGE}/{card}", headers=BOOSTED).text
    assert owner.get(f"{PAGE}/nothing").status_code == 404


def test_an_image_that_the_game_has_is_already_here(owner: Visitor, game_id: str) -> None:
    first = send(owner, picture(), "one.png")
    again = send(owner, picture(), "two\u202egnp.png")
    assert (again.status_code, again.location) == (303, first.location)
    assert r"two\u202egnp.png is already here, as one.png" in owner.get(PAGE).text
    assert len(asset_scenes.images_of(game_id)) == 1


def test_a_heic_image_is_named_with_what_to_do(owner: Visitor, game_id: str) -> None:
    (_, reason) = errors(send(owner, b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "IMG_1.jpg"))
    assert reason.startswith("'IMG_1.jpg' is HEIC, none of PNG, JPEG, WebP, GIF. Export it as JPEG: on a Mac in")


def test_one_image_is_added_through_the_app(owner: Visitor, game_id: str) -> None:
    answer = send(owner, picture(), "art/Karte Ä.png")
    assert answer.status_code == 303, answer.text
    assert answer.location.startswith(f"{PAGE}#asset-")
    page = owner.get(PAGE).text
    assert "Karte Ä.png is added" in page
    assert asset_scenes.images_of(game_id) == ["Karte Ä.png"]
    # Again is fine, and adds nothing.
    assert send(owner, picture(), "again.png").status_code == 303
    assert asset_scenes.images_of(game_id) == ["Karte Ä.png"]


@pytest.mark.parametrize("headed", [True, False], ids=["token in the header", "token in the form"])
def test_an_image_of_a_browser_that_was_signed_out_meanwhile_is_not_kept(
    owner: Visitor, game_id: str, cast: Cast, headed: bool
) -> None:
    """A slow body takes its time, and signing out is at once."""
    token = owner.token()
    parts = [] if headed else [("csrf_token", None, token.encode())]
    body = _multipart([*parts, ("file", "card.png", picture(90, 120))])

    class SignedOutOnTheWay(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() == 0:
                member = db.session.scalars(select(Member).where(Member.email == cast.starlight.owner)).one()
                sign_out_everywhere(member, CAST)
                db.session.remove()
            return super().read(size)

    answer = owner.client.post(
        PAGE,
        input_stream=SignedOutOnTheWay(body),
        content_length=len(body),
        content_type="multipart/form-data; boundary=limit",
        headers={"X-CSRFToken": token} if headed else {},
    )
    assert answer.status_code == 302
    assert answer.location.startswith("/sign-in")
    assert db.session.scalars(select(Asset)).all() == []


def _multipart(parts: list[tuple[str, str | None, bytes]]) -> bytes:
    return (
        b"".join(
            b'--limit\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'
            % (name.encode(), f'; filename="{file}"'.encode() if file else b"", data)
            for name, file, data in parts
        )
        + b"--limit--\r\n"
    )


def test_one_partner_does_not_take_every_place_for_images(
    owner: Visitor, game_id: str, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thread_budgets.image_uploads, "limit", 2)
    with thread_budgets.image_uploads.acquired(Owner.partner(cast.starlight.partner_id, "Kite Works")):
        answer = send(owner, picture(), "one.png")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "10"
    assert "uses 1 of the 2 places for images sent through the app" in answer.text
    assert asset_scenes.images_of(game_id) == []
    assert send(owner, picture(), "one.png").status_code == 303


def test_what_is_no_image_is_refused_with_what_to_do(owner: Visitor, game_id: str) -> None:
    title = "The image is not added: 1 thing to change"
    assert errors(send(owner, None)) == [title, "Choose an image to add"]
    assert errors(send(owner, b"%PDF-1.7", "plan.pdf")) == [
        title,
        "'plan.pdf' is a PDF document, none of PNG, JPEG, WebP, GIF. Export it as PNG or JPEG. Then choose it again.",
    ]
    assert errors(send(owner, b"")) == [title, "'card.png' is empty. Export it again, then choose it."]
    (_, reason) = errors(send(owner, picture()[:1200]))
    assert reason.startswith("The uploaded file ")
    large = send(owner, b"\x89PNG\r\n\x1a\n" + bytes(20 * 1024 * 1024))
    assert "is larger than 20 MiB" in errors(large)[1]
    huge = send(owner, b"\x89PNG\r\n\x1a\n" + bytes(22 * 1024 * 1024))
    assert huge.status_code == 413
    assert "larger than 20 MiB" in plain(huge.text)
    assert asset_scenes.images_of(game_id) == []


@pytest.mark.settings(ASSET_QUOTA_BYTES="6000")
def test_a_full_quota_is_said_beside_the_field(owner: Visitor, card: str) -> None:
    assert "Your images may use 6,000 B in all, and " in errors(send(owner, picture(seed=3)))[1]
    assert "5 of 6 KiB used" in plain(owner.get(PAGE).text)


def test_a_script_announces_sends_and_confirms(owner: Visitor, game_id: str, cast: Cast) -> None:
    data, headers = picture(), {"X-CSRFToken": owner.token()}

    def ask(what: str, body: dict[str, Any]) -> Any:
        return owner.send("POST", f"{PAGE}/{what}", json=body, headers=headers)

    said = announced(data)
    for wrong in ({"contentType": "image/svg+xml"}, {"byteSize": 0}, {"checksum": "x"}, {"fileName": ""}):
        refused(ask("presign", said | wrong), 400, "VALIDATION_ERROR")
    presigned = ask("presign", said)
    assert presigned.headers["Cache-Control"] == "no-store"
    address = answered(presigned)
    sent = {name: address[name] for name in ("key", "publicUrl", "contentType")} | {"byteSize": len(data)}
    assert "Nothing has been uploaded" in refused(ask("upload-complete", sent), 400, "VALIDATION_ERROR")
    assert put(address["signedUrl"], data, address["contentType"]) == 200
    for _ in range(2):
        assert answered(ask("upload-complete", sent)) == {"ok": True}
    assert f'data-key="{address["key"]}"' in owner.get(PAGE).text


def test_the_scripts_calls_are_for_members_who_may_write(
    owner: Visitor, viewer: Visitor, stranger: Visitor, visitor: Visitor, game_id: str
) -> None:
    for what in ("presign", "upload-complete"):
        for somebody, status, code in (
            (visitor, 401, "UNAUTHORIZED"),
            (stranger, 404, "NOT_FOUND"),
            (viewer, 403, "PERMISSION_DENIED"),
        ):
            headers = {"X-CSRFToken": somebody.token()}
            refused(somebody.send("POST", f"{PAGE}/{what}", json={}, headers=headers), status, code)
        message = refused(owner.send("POST", f"{PAGE}/{what}", json={}), 400, "VALIDATION_ERROR")
        assert "earlier session" in message


def test_the_cover_shows_in_the_head_the_list_and_the_partner_api(
    owner: Visitor, game_id: str, card: str, cast: Cast, client: FlaskClient
) -> None:
    assert owner.post(f"{PAGE}/{card}/cover").location == f"{PAGE}#asset-{card}"
    small = re.compile(r'<img src="(/uploads/sh/\S+\.webp)"')
    assert small.search(owner.get("/games/paper-lanterns").text)
    row = re.search(r'<tbody[^>]+id="game-paper-lanterns">.*?</tbody>', owner.get("/games").text, re.DOTALL)
    assert row
    assert small.search(row[0])
    api = client.get("/api/partners/games/paper-lanterns", headers={"Authorization": f"Bearer {cast.starlight.key}"})
    assert api.json is not None
    assert api.json["thumbnail"].endswith(".v1-768.webp")
    owner.post(f"{PAGE}/{card}/cover/deletion")
    assert not small.search(owner.get("/games/paper-lanterns").text)


def test_an_outside_cover_is_a_link_and_never_loaded(owner: Visitor, game_id: str, card: str) -> None:
    owner.post(f"{PAGE}/{card}/cover")
    details = owner.get("/games/paper-lanterns/details").text
    filled = dict(re.findall(r'<input[^>]+id="(\w+)" name="\w+"[^>]*value="([^"]*)"', details))
    outside = "https://cdn.example/cover.jpg"
    answer = owner.post(
        "/games/paper-lanterns/details",
        {
            **filled,
            "title": "Paper Lanterns",
            "developer": "Kite Works",
            "renpy_dir": "x",
            "launcher": "paper-lanterns.sh",
            "tags": "Visual Novel",
            "description": "Words, pictures and a few choices.",
            "thumbnail": outside,
            "auto_release": "y",
        },
    )
    assert answer.status_code == 303, answer.text
    page = owner.get("/games/paper-lanterns").text
    assert f'<a class="cover outside" href="{outside}" rel="noreferrer"' in one_line(page)
    assert f'src="{outside}"' not in page
    afresh()
    assert pictures_of([game_id])[game_id].cover is None, "the address that was set is what is shown"


def test_screenshots_have_an_order(owner: Visitor, game_id: str, card: str) -> None:
    second = asset_scenes.add_image(game_id, "second.png", picture(), made=False)

    def shown() -> list[str]:
        afresh()
        return [image.asset_id for image in pictures_of([game_id])[game_id].screenshots]

    for asset_id, place in ((card, "1"), (second, "1")):
        assert owner.post(f"{PAGE}/{asset_id}/screenshot", {"place": place}).status_code == 303
    assert shown() == [second, card]
    owner.post(f"{PAGE}/{card}/screenshot", {"place": "1"})
    assert shown() == [card, second]
    assert "Screenshot 1" in plain(owner.get(PAGE).text)
    assert owner.post(f"{PAGE}/{card}/screenshot", {"place": "9"}).status_code == 400
    owner.post(f"{PAGE}/{card}/screenshot", {"place": ""})
    assert shown() == [second]


def test_a_deleted_image_can_be_brought_back_from_its_toast(owner: Visitor, game_id: str, card: str) -> None:
    asset_scenes.add_component(game_id, "tile", "Lantern Keeper", "card-001", faces={"front": card})
    answer = owner.post(f"{PAGE}/{card}/deletion")
    page = owner.get(answer.location).text
    assert "card.png is deleted" in page
    assert f'<form method="post" action="{PAGE}/{card}/restoration">' in page
    assert asset_scenes.images_of(game_id) == []
    assert owner.get(f"{PAGE}/{card}").status_code == 404
    owner.post(f"{PAGE}/{card}/restoration")
    assert "card.png is restored" in plain(owner.get(PAGE).text)
    afresh()
    assert asset_scenes.images_of(game_id) == ["card.png"]
    assert "Lantern Keeper, front" in plain(owner.get(PAGE).text)


def test_an_image_without_sizes_says_why(owner: Visitor, game_id: str, card: str) -> None:
    with writing() as session:
        blob = session.scalars(select(Blob).join(Asset).where(Asset.id == card)).one()
        blob.derivation, blob.derive_error = "failed", "The file is torn."
        announce(assets_topic(game_id))
    page = owner.get(PAGE).text
    assert "<title>(1 failed) Images: Paper Lanterns · Slipway</title>" in page
    assert "No sizes can be made The file is torn." in plain(page)


@pytest.mark.settings(ASSET_BASE_URL="https://cdn.starlight.example")
def test_with_a_cdn_pages_load_from_it(owner: Visitor, card: str) -> None:
    assert settings().asset_base_url == "https://cdn.starlight.example"
    assert 'src="https://cdn.starlight.example/uploads/sh/' in owner.get(PAGE).text


def test_storage_that_is_away_is_said(owner: Visitor, card: str) -> None:
    storage_status.record(answered=False)
    try:
        page = plain(owner.get(PAGE).text)
    finally:
        storage_status.clear()
    assert "1 image cannot be shown right now They are stored; storage is unreachable." in page
