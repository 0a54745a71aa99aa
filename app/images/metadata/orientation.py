"""The only part of EXIF about the picture itself: its orientation. Everything else of EXIF stays unread.

The reader is bounded: it looks at one directory, and a damaged one means an upright picture, as in browsers.
"""

from __future__ import annotations

import struct

UPRIGHT = 1
_TAG, _SHORT = 0x0112, 3
_ENTRY_BYTES = 12
_EXIF_PREFIX = b"Exif\0"  # and a fill byte; before the TIFF header in JPEG, and in some WebP files
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}


def exif(orientation: int) -> bytes:
    """EXIF data (a TIFF header with one directory) that holds the orientation, 1 to 8, and nothing else."""
    header = struct.pack("<2sHI", b"II", 42, 8)
    directory = struct.pack("<HHHIHHI", 1, _TAG, _SHORT, 1, orientation, 0, 0)
    return header + directory


def exif_orientation(data: bytes) -> int | None:
    """The orientation in EXIF data, 1 to 8. None if there is none that can be read."""
    if data.startswith(_EXIF_PREFIX):
        data = data[len(_EXIF_PREFIX) + 1 :]
    order = _ORDERS.get(data[:4])
    if order is None or len(data) < 8:
        return None
    start: int = struct.unpack_from(f"{order}I", data, 4)[0]
    if start + 2 > len(data):
        return None
    count: int = struct.unpack_from(f"{order}H", data, start)[0]
    readable = min(count, (len(data) - start - 2) // _ENTRY_BYTES)
    for entry in range(readable):
        tag, kind, values, value = struct.unpack_from(f"{order}HHIH", data, start + 2 + entry * _ENTRY_BYTES)
        if (tag, kind, values) == (_TAG, _SHORT, 1) and value in range(1, 9):
            return int(value)
    return None
