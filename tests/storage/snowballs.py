"""Archives that MinIO unpacks into objects when the PUT says so in a header, for many small objects at once."""

from __future__ import annotations

import io
import tarfile

import urllib3


def snowball(*names: str) -> bytes:
    """A tar that some storages unpack into objects of these names."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 4
            archive.addfile(member, io.BytesIO(b"evil"))
    return out.getvalue()


def unpacking(url: str, tar: bytes, content_type: str = "") -> int:
    """The PUT that the address is for, with the headers that ask storage to unpack it; the status."""
    more = {"x-amz-meta-snowball-auto-extract": "true", "x-minio-extract": "true"}
    more |= {"content-type": content_type} if content_type else {}
    return urllib3.request("PUT", url, body=tar, headers=more, retries=False).status
