"""GET /uploads/sh/{name}: images, for anybody that has the address. The bytes at an address never change.

Strangers upload them, so they decide nothing about the response. The content type comes from the bytes, browsers must
not guess another one, and the policy disables everything that a page could do.
"""

from __future__ import annotations

from collections.abc import Iterator

from flask import Blueprint, Response, request
from werkzeug.datastructures import ContentRange

from app.data.database import free_connection
from app.images.image_files import ServedImage, served_image
from app.images.object_keys import IMMUTABLE
from app.limits import thread_budgets
from app.refusals import Unavailable
from app.storage.objects import OpenObject, open_object

bp = Blueprint("media", __name__)

_POLICY = "sandbox; default-src 'none'"
_EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/gif": "gif"}


@bp.get("/uploads/sh/<name>")
def image(name: str) -> Response:
    try:
        found = served_image(name)
    except Unavailable as refusal:  # the public copy of an older image is made on the first request
        return _unavailable(refusal)
    free_connection()
    if found is None:
        return _plain_text(404, "There is no image at this address. It may have been deleted.")
    response = Response(headers=_headers(found))
    if request.if_none_match.contains(found.sha256):
        response.status_code = 304
        return response
    response.headers["Content-Type"] = found.mime_type
    span = _requested_range(found)
    if span == ():
        response = _plain_text(416, f"This image has {found.size:,} bytes. The requested range is outside them.")
        response.headers["Content-Range"] = f"bytes */{found.size}"
        return response
    if span:
        response.status_code = 206
        response.content_range = ContentRange("bytes", span[0], span[1] + 1, found.size)
    response.content_length = span[1] - span[0] + 1 if span else found.size
    if request.method == "GET":
        try:
            response.response = _Body(found, span or None)
        except Unavailable as refusal:
            return _unavailable(refusal)
    return response


def _headers(found: ServedImage) -> dict[str, str]:
    name = f"image-{found.sha256[:12]}.{_EXTENSIONS[found.mime_type]}"
    return {
        "ETag": f'"{found.sha256}"',
        "Cache-Control": IMMUTABLE,
        "Accept-Ranges": "bytes",
        "Content-Disposition": f'inline; filename="{name}"',
        "Content-Security-Policy": _POLICY,
        "X-Content-Type-Options": "nosniff",
    }


def _requested_range(found: ServedImage) -> tuple[int, int] | tuple[()] | None:
    """First and last byte of the requested range; () for a range outside the image; None for the complete image, also
    when several ranges are requested (RFC 9110 section 14.2 allows it)."""
    requested = request.range
    if requested is None or requested.units != "bytes" or len(requested.ranges) != 1:
        return None
    # A date or a weak validator does not prove that the bytes are the same.
    if request.headers.get("If-Range", f'"{found.sha256}"') != f'"{found.sha256}"':
        return None
    span = requested.range_for_length(found.size)
    return (span[0], span[1] - 1) if span else ()


class _Body:
    """The response body: an object's bytes, 64 KiB at a time. It uses one place of the image budget until the end."""

    def __init__(self, found: ServedImage, span: tuple[int, int] | None) -> None:
        self._reader = request.remote_addr or ""
        thread_budgets.images.acquire(self._reader, "Your address")
        self._closed = False
        try:
            self._object: OpenObject = open_object(found.key, span)
        except BaseException:
            thread_budgets.images.free(self._reader)
            raise

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._object.pieces()
        finally:
            self.close()

    def close(self) -> None:
        """The web server calls this when the response is sent or the client is gone."""
        if not self._closed:
            self._closed = True
            self._object.close()
            thread_budgets.images.free(self._reader)


def _unavailable(refusal: Unavailable) -> Response:
    response = _plain_text(503, refusal.message)
    response.headers["Retry-After"] = str(refusal.retry_after)
    return response


def _plain_text(status: int, text: str) -> Response:
    response = Response(f"{text}\n", status=status, mimetype="text/plain")
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Security-Policy"] = _POLICY
    return response
