"""GET /uploads/sh/{name}: images, for anybody that has the address. The bytes at an address never change.

Strangers upload them, so they decide nothing about the response. The content type comes from the bytes, browsers must
not guess another one, and the policy disables everything that a page could do.
"""

from __future__ import annotations

from functools import partial

from flask import Blueprint, Response, request

from app.api.byte_ranges import requested_range, set_range
from app.data.database import free_connection
from app.images.image_files import ServedImage, served_image
from app.images.object_keys import IMMUTABLE
from app.limits import thread_budgets
from app.limits.networks import site_of
from app.limits.slot_bodies import SlotBody
from app.limits.slots import Owner
from app.process.metrics import count_refusal
from app.refusals import Unavailable
from app.storage.objects import open_object

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
    span = requested_range(found.size, found.sha256)
    if span == ():
        response = _plain_text(416, f"This image has {found.size:,} bytes. The requested range is outside them.")
        response.headers["Content-Range"] = f"bytes */{found.size}"
        return response
    set_range(response, found.size, span or None)
    if request.method == "GET":
        try:
            opened = partial(open_object, found.key, span or None)
            response.response = SlotBody(thread_budgets.images, _reader(), opened)
        except Unavailable as refusal:
            return _unavailable(refusal)
    return response


def _reader() -> Owner:
    return Owner(f"address {site_of(request.remote_addr)}", "Your address", "address")


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


def _unavailable(refusal: Unavailable) -> Response:
    count_refusal(refusal.code)
    response = _plain_text(503, refusal.message)
    response.headers["Retry-After"] = str(refusal.retry_after)
    return response


def _plain_text(status: int, text: str) -> Response:
    response = Response(f"{text}\n", status=status, mimetype="text/plain")
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Security-Policy"] = _POLICY
    return response
