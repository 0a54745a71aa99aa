"""The browser's files."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from app.web.frame.static_files import FOREVER, Bundle, BundleMissing, bundle
from tests.app.web.conftest import BOOSTED, ONE_DATABASE, Visitor
from tests.conftest import ROOT, Cast


@ONE_DATABASE
def test_a_page_names_files_that_are_there(visitor: Visitor, cast: Cast) -> None:
    page = visitor.get("/sign-in").text
    for name in ("main.js", "main.css", "favicon.svg", "geist.woff2"):
        assert f'"{bundle.url(name)}"' in page
        assert visitor.get(bundle.url(name)).status_code == 200


@ONE_DATABASE
def test_built_files_are_kept_for_ever_under_their_name(visitor: Visitor) -> None:
    answer = visitor.get(bundle.url("main.css"))
    assert answer.headers["Cache-Control"] == FOREVER
    assert "Set-Cookie" not in answer.headers
    assert answer.mimetype == "text/css"


@ONE_DATABASE
@pytest.mark.parametrize(
    ("name", "kind"), [("main.js", "text/javascript"), ("main.css", "text/css"), ("icons.svg", "image/svg+xml")]
)
def test_text_is_sent_gzipped_to_who_takes_it(visitor: Visitor, name: str, kind: str) -> None:
    plain = visitor.get(bundle.url(name))
    zipped = visitor.get(bundle.url(name), headers={"Accept-Encoding": "br, gzip"})
    assert "Content-Encoding" not in plain.headers
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert zipped.mimetype == kind
    assert zipped.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(zipped.data) == plain.data
    refused = visitor.get(bundle.url(name), headers={"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in refused.headers


@ONE_DATABASE
def test_nothing_else_is_served_from_there(visitor: Visitor, cast: Cast) -> None:
    for path in ("/static/dist/..%2f..%2fconfig.py", "/static/dist/nothing.js", "/static/dist/"):
        assert visitor.get(path).status_code == 404


def test_a_missing_bundle_says_how_to_build_it(tmp_path: Path) -> None:
    with pytest.raises(BundleMissing, match="npm ci && npm run build"):
        Bundle(tmp_path).url("main.js")


def test_a_new_manifest_is_read_without_a_restart(tmp_path: Path) -> None:
    found = Bundle(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({"main.js": "main-A.js"}))
    assert found.url("main.js") == "/static/dist/main-A.js"
    (tmp_path / "new").write_text(json.dumps({"main.js": "main-B.js"}))
    (tmp_path / "new").replace(tmp_path / "manifest.json")
    assert found.url("main.js") == "/static/dist/main-B.js"


@ONE_DATABASE
def test_a_page_of_another_bundle_is_left_with_a_whole_load(owner: Visitor) -> None:
    old = owner.get("/games?tag=x", headers=BOOSTED | {"X-Bundle": "main-OLD.js main-OLD.css"})
    assert old.headers["HX-Redirect"] == "/games?tag=x"
    assert "HX-Redirect" not in owner.get("/games", headers=BOOSTED | {"X-Bundle": bundle.version()}).headers


def test_the_first_paint_is_light() -> None:
    """Script and styles of a page, gzipped; the budget of 120 kB is for these and the page."""
    total = sum((bundle.folder / f"{bundle.names()[name]}.gz").stat().st_size for name in ("main.js", "main.css"))
    # Of these, about 3 kB keep what was typed: signing in over the page, dialogs, two tabs, the archive's own words.
    assert total < 70_000


def test_text_and_spacing_follow_the_size_of_text_that_the_reader_has_set() -> None:
    """Sizes are in rem. Only lines, shadows and patterns are in px."""
    drawn = re.compile(
        r"(?:^|[{;])\s*(?:border(?!-radius)|outline|box-shadow|stroke|filter|text-|--shadow|--focus|background)[^;}]*"
    )
    found = []
    for path in sorted((ROOT / "app/static/src/css").rglob("*.css")):
        text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
        for line in drawn.sub("", text).splitlines():
            found += [f"{path.name}: {line.strip()}" for size in re.findall(r"([\d.]+)px", line) if float(size) > 2]
    assert found == []
