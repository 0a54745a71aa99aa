"""One 512-byte tar header block: v7, ustar (POSIX.1-2001) and GNU.

Fields are bytes; slipway/archive/member_rules.py checks their values.
"""

import re
import struct
from typing import NamedTuple

BLOCK_BYTES = 512
ZERO_BLOCK = bytes(BLOCK_BYTES)

# name, mode, (uid, gid), size, mtime, checksum, typeflag, linkname, magic+version, (owner, group, device), prefix
_FIELDS = struct.Struct("100s 8s 16x 12s 12s 8s 1s 100s 8s 80x 155s 12x")
_CHECKSUM = slice(148, 156)
_SPACES = 8 * ord(" ")  # the checksum field counts as spaces
_OCTAL = re.compile(rb" *([0-7]*)[ \0]*", re.ASCII)

_POSIX_MAGIC = b"ustar\x00"  # only here the last field is a prefix of the name; GNU stores times there
_REAL_SIZE = slice(483, 495)  # old GNU: the size of a sparse file with its holes
OLD_GNU_SPARSE = b"S"


class Header(NamedTuple):
    """`size` is in bytes, `mtime` in seconds since 1970 (None if unreadable), `typeflag` is one byte.

    `real_size`: for a sparse file its size with its holes, and `size` is what the archive stores of it. Else None.
    `style`: how the packaging program writes its headers (slipway/archive/packaging_tools.py).
    """

    name: bytes
    linkname: bytes
    typeflag: bytes
    size: int
    mode: int
    mtime: int | None
    real_size: int | None = None
    style: bytes = b""

    @property
    def file_size(self) -> int:
        """Bytes of the unpacked file."""
        return self.size if self.real_size is None else self.real_size


class DamagedHeader(ValueError):
    """The block is not a valid tar header."""


def parse_header(block: bytes) -> Header:
    """Read one block of BLOCK_BYTES bytes, verifying its checksum. Raises DamagedHeader."""
    name, mode, size, mtime, checksum, typeflag, linkname, magic, prefix = _FIELDS.unpack(block)
    _verify_checksum(block, parse_number(checksum))
    size_value, mode_value = parse_number(size), parse_number(mode)
    if size_value is None or size_value < 0 or mode_value is None or mode_value < 0:
        raise DamagedHeader("its size or mode is not a number")
    name = _until_nul(name)
    if magic.startswith(_POSIX_MAGIC) and prefix[0]:
        name = _until_nul(prefix) + b"/" + name
    real_size = parse_number(block[_REAL_SIZE]) if typeflag == OLD_GNU_SPARSE else None
    if real_size is not None and real_size < 0:
        raise DamagedHeader("its size is not a number")
    style = header_style(block)
    return Header(name, _until_nul(linkname), typeflag, size_value, mode_value, parse_number(mtime), real_size, style)


def header_style(block: bytes) -> bytes:
    """The bytes of a header in which packaging programs differ: magic, owner's name (first byte), device number (first
    byte), and how the size field ends."""
    return block[257:266] + block[329:330] + block[135:136]


def is_tar_header(block: bytes) -> bool:
    """Whether a file that begins with `block` is a tar."""
    if len(block) < BLOCK_BYTES or not block[0]:
        return False
    try:
        parse_header(block[:BLOCK_BYTES])
    except DamagedHeader:
        return False
    return True


def parse_number(field: bytes) -> int | None:
    """Octal digits, or GNU's base-256 when the top bit of the first byte is set. An empty field is 0."""
    if field[0] in (0x80, 0xFF):
        return int.from_bytes(field[1:], "big", signed=False) - (256 ** (len(field) - 1) if field[0] == 0xFF else 0)
    digits = _OCTAL.fullmatch(field)
    return int(digits[1] or b"0", 8) if digits else None


def _until_nul(field: bytes) -> bytes:
    end = field.find(b"\0")
    return field if end < 0 else field[:end]


def _verify_checksum(block: bytes, expected: int | None) -> None:
    unsigned = sum(block) - sum(block[_CHECKSUM]) + _SPACES
    if expected == unsigned:
        return
    # Some old tars summed signed characters: the same sum, minus 256 for each byte with its top bit set.
    outside = block[: _CHECKSUM.start] + block[_CHECKSUM.stop :]
    if expected != unsigned - 256 * sum(byte > 127 for byte in outside):
        raise DamagedHeader("its checksum does not match")
