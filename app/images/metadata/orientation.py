"""The only part of EXIF about the picture itself: its orientation. Everything else of EXIF stays unread.

The reader is bounded: it looks for one tag in one directory and its sub-directory. It accepts what Chromium accepts,
and a damaged directory means an upright picture.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

UPRIGHT = 1
_ORIENTATION, _SUB_DIRECTORY = 0x0112, 0x8769
_SHORT, _LONG = 3, 4
_ENTRY_BYTES = 12
_EXIF_PREFIX = b"Exif\0"  # and a fill byte; before the TIFF header in JPEG, and in some WebP files
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}


def exif(orientation: int) -> bytes:
    """EXIF data (a TIFF header with one directory) that holds the orientation, 1 to 8, and nothing else."""
    header = struct.pack("<2sHI", b"II", 42, 8)
    directory = struct.pack("<HHHIHHI", 1, _ORIENTATION, _SHORT, 1, orientation, 0, 0)
    return header + directory


def exif_orientation(data: bytes) -> int:
    """The orientation in EXIF data, 1 to 8. UPRIGHT if there is none that can be read."""
    if data.startswith(_EXIF_PREFIX):
        data = data[len(_EXIF_PREFIX) + 1 :]
    order = _ORDERS.get(data[:4])
    if order is None or len(data) < 8:
        return UPRIGHT
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    return _orientation_in(data, order, start, with_sub_directory=True) or UPRIGHT


def _orientation_in(data: bytes, order: str, start: int, *, with_sub_directory: bool) -> int | None:
    for tag, kind, value in _single_values(data, order, start):
        short, long = struct.unpack(f"{order}H", value[:2])[0], struct.unpack(f"{order}I", value)[0]
        if tag == _ORIENTATION and kind == _SHORT and short in range(1, 9):
            return int(short)
        if tag == _SUB_DIRECTORY and kind == _LONG and with_sub_directory:
            found = _orientation_in(data, order, long, with_sub_directory=False)
            if found:
                return found
    return None


def _single_values(data: bytes, order: str, start: int) -> Iterator[tuple[int, int, bytes]]:
    """Tag, type and the four bytes of the value, of each entry of a directory that has one value."""
    if start + 2 > len(data):
        return
    (count,) = struct.unpack_from(f"{order}H", data, start)
    for entry in range(min(count, (len(data) - start - 2) // _ENTRY_BYTES)):
        tag, kind, values, value = struct.unpack_from(f"{order}HHI4s", data, start + 2 + entry * _ENTRY_BYTES)
        if values == 1:
            yield tag, kind, value
