"""What a colour profile must look like to be kept. Other bytes in its place would be metadata of any kind."""

from __future__ import annotations

_HEADER_BYTES = 128
_SIGNATURE, _SIGNATURE_AT = b"acsp", 36  # ICC.1 section 7.2.9


def is_profile(data: bytes | None) -> bool:
    """Whether these bytes are an ICC profile."""
    return data is not None and len(data) >= _HEADER_BYTES and data[_SIGNATURE_AT:].startswith(_SIGNATURE)
