"""Checksums as the assets API writes them, and the keys of objects.

A final key consists of the bytes' digest and the partner: `uploads/sh/sha256-<digest>.<partner>`, the digest in
URL-safe base64 without padding. Variants add the version of the derivation and their size, a public copy adds
`.public`. No key has subfolders: a gateway over a file system keeps the folders of deleted objects.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

STAGING = "staging/"
FINAL = "uploads/sh/"
# Raise it when derived bytes change, because variants are cached for ever under their address.
DERIVATION = 1
# A key never gets other content, so clients may cache it for ever. A CDN in front of the bucket reads this header from
# the object.
IMMUTABLE = "public, max-age=31536000, immutable"

_KEY = re.compile(
    r"uploads/sh/sha256-(?P<digest>[A-Za-z0-9_-]{43})\.(?P<partner>[0-9a-z]{1,40})"
    r"(?:\.v(?P<version>\d+)-(?P<size>\d+)\.webp|(?P<public>\.public))?"
)


@dataclass(frozen=True)
class FinalKey:
    """The parts of a final key. `size` is that of a derived image; `is_public_copy`: the source without its
    metadata."""

    sha256: str
    partner_id: str
    size: int | None
    is_public_copy: bool = False

    @property
    def is_source(self) -> bool:
        return self.size is None and not self.is_public_copy


def parse_checksum(text: str) -> str:
    """`sha256-<base64 of the digest>` as lowercase hex. Raises ValueError."""
    kind, _, encoded = text.partition("-")
    try:
        # Both alphabets, with or without padding: our own keys use the other alphabet.
        digest = base64.b64decode(encoded.rstrip("=").replace("-", "+").replace("_", "/") + "=", validate=True)
    except binascii.Error:
        digest = b""
    if kind != "sha256" or len(digest) != 32:
        raise ValueError("must be `sha256-` and the base64 of the file's SHA-256")
    return digest.hex()


def checksum_of(sha256: str) -> str:
    """Lowercase hex as `sha256-<URL-safe base64>`, the form in keys."""
    return "sha256-" + base64.urlsafe_b64encode(bytes.fromhex(sha256)).decode().rstrip("=")


def final_key(partner_id: str, sha256: str) -> str:
    """The key of a partner's bytes after verification."""
    return f"{FINAL}{checksum_of(sha256)}.{partner_id.removeprefix('partner_')}"


def variant_key(source_key: str, size: int) -> str:
    """The key of a derived size."""
    return f"{source_key}.v{DERIVATION}-{size}.webp"


def public_copy_key(source_key: str) -> str:
    """The key of the source's public copy, if that is another file. Never part of an address: the source's own address
    answers with the copy."""
    return f"{source_key}.public"


def parse_key(key: str) -> FinalKey | None:
    """The parts of a final key or a variant's key. None for any other text."""
    found = _KEY.fullmatch(key)
    if not found:
        return None
    digest = base64.urlsafe_b64decode(found["digest"] + "=").hex()
    size = int(found["size"]) if found["size"] else None
    return FinalKey(digest, f"partner_{found['partner']}", size, found["public"] is not None)
