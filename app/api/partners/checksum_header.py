"""The header in which a client names the SHA-256 of an archive that it sends."""

from __future__ import annotations

import re

from flask import request

from app.refusals import InvalidRequest

NAME = "X-Checksum-Sha256"


def announced_sha256() -> str | None:
    """The digest in lowercase hex, or None without the header. Raises InvalidRequest."""
    text = request.headers.get(NAME)
    if text is None:
        return None
    if not re.fullmatch(r"(sha256:)?[0-9a-fA-F]{64}", text.strip()):
        raise InvalidRequest(
            f"{NAME} must be the archive's SHA-256 in 64 hexadecimal digits. You can leave the header out."
        )
    return text.strip().lower().removeprefix("sha256:")
