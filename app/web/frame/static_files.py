"""Built static files. app/static/build.mjs writes them under content-hashed names, with a manifest."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from flask import Blueprint, Flask, Response, request, send_from_directory

from app.data.extensions import htmx

DIST = Path(__file__).resolve().parents[2] / "static" / "dist"
FOREVER = "public, max-age=31536000, immutable"

pages = Blueprint("bundle", __name__)


class BundleMissing(RuntimeError):
    """The static files have not been built."""


class Bundle:
    """Addresses of the built files. The manifest is read again when it changes, for `npm run watch`."""

    def __init__(self, folder: Path = DIST) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._read: tuple[int, int] | None = None
        self._names: dict[str, str] = {}

    def names(self) -> dict[str, str]:
        """Name in templates -> file name. Raises BundleMissing."""
        manifest = self.folder / "manifest.json"
        try:
            found = manifest.stat()
        except FileNotFoundError:
            raise BundleMissing(
                f"{manifest} is missing: the static files are not built. "
                "Run `npm ci && npm run build`; `make run` does it by itself."
            ) from None
        # Two builds can have the same modification time, but never the same inode.
        version = (found.st_mtime_ns, found.st_ino)
        with self._lock:
            if version != self._read:
                self._names = json.loads(manifest.read_text())
                self._read = version
            return self._names

    def url(self, name: str) -> str:
        """`main.css` -> `/static/dist/main-2MZVOFCB.css`."""
        return f"/static/dist/{self.names()[name]}"

    def version(self) -> str:
        """Changes when the script or the styles change. Older open pages then reload on their next navigation."""
        names = self.names()
        return f"{names['main.js']} {names['main.css']}"


bundle = Bundle()


@pages.get("/static/dist/<file>")
def file(file: str) -> Response:
    """A built file, which never changes under its name; gzipped for browsers that accept it."""
    twin = bundle.folder / f"{file}.gz"
    zipped = request.accept_encodings["gzip"] > 0 and "/" not in file and twin.is_file()
    response = send_from_directory(bundle.folder, twin.name if zipped else file, etag=False)
    if zipped:
        response.headers["Content-Encoding"] = "gzip"
        response.content_type = send_from_directory(bundle.folder, file).content_type
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["Cache-Control"] = FOREVER
    return response


def _reload_old_bundle() -> Response | None:
    """A boosted link keeps the <head> of its page. If that page uses another bundle, load the next page in full."""
    of_page = request.headers.get("X-Bundle")
    if request.method != "GET" or not htmx.boosted or of_page in {None, bundle.version()}:
        return None
    return Response(headers={"HX-Redirect": request.full_path.rstrip("?")})


def init_app(app: Flask) -> None:
    """Register the route, and the template globals `asset(name)` and `bundle_version()`."""
    app.register_blueprint(pages)
    app.before_request(_reload_old_bundle)
    app.jinja_env.globals.update(asset=bundle.url, bundle_version=bundle.version)
