"""The only part of EXIF about the picture itself: its orientation."""

from __future__ import annotations

import struct

UPRIGHT = 1
_TAG, _SHORT = 0x0112, 3


def exif(orientation: int) -> bytes:
    """EXIF data (a TIFF header with one directory) that holds the orientation, 1 to 8, and nothing else."""
    header = struct.pack("<2sHI", b"II", 42, 8)
    directory = struct.pack("<HHHIHHI", 1, _TAG, _SHORT, 1, orientation, 0, 0)
    return header + directory
