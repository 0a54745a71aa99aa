"""GET /uploads/sh/{name}: images, for anybody who has the address; the same bytes for ever.

They were uploaded by strangers, so nothing about the answer is theirs: the type is what was found in the bytes,
browsers are told not to guess another, and a page could do nothing even if one were shown.
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
    except Unavailable as refusal:  # what may be shown of an older image is made when it is first asked for
        return _later(refusal)
    free_connection()
    if found is None:
        return _plainly(404, "There is no image at this address. It may have been deleted.")
    response = Response(headers=_headers(found))
    if request.if_none_match.contains(found.sha256):
        response.status_code = 304
        return response
    response.headers["Content-Type"] = found.mime_type
    span = _wanted(found)
    if span == ():
        response = _plainly(416, f"This image has {found.size:,} bytes; the range asks for others.")
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
            return _later(refusal)
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


def _wanted(found: ServedImage) -> tuple[int, int] | tuple[()] | None:
    """First and last byte of the one range that is asked for; () for one that is not there; None for everything, also
    when several are asked for (RFC 9110 section 14.2 allows it)."""
    asked = request.range
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1:
        return None
    # A date or a weak validator is no proof that the bytes are the same ones.
    if request.headers.get("If-Range", f'"{found.sha256}"') != f'"{found.sha256}"':
        return None
    span = asked.range_for_length(found.size)
    return (span[0], span[1] - 1) if span else ()


class _Body:
    """An object's bytes on their way to the client: 64 KiB at a time, with a place taken until the end."""

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
        """Called by the server when the answer is sent, or the client is gone."""
        if not self._closed:
            self._closed = True
            self._object.close()
            thread_budgets.images.free(self._reader)


def _later(refusal: Unavailable) -> Response:
    response = _plainly(503, refusal.message)
    response.headers["Retry-After"] = str(refusal.retry_after)
    return response


def _plainly(status: int, text: str) -> Response:
    response = Response(f"{text}\n", status=status, mimetype="text/plain")
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Security-Policy"] = _POLICY
    return response
