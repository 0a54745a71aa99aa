"""Formats that people send instead of a tar.gz, and the command that converts each."""

from typing import NamedTuple

from slipway.archive.tar.tar_header import is_tar_header

# The tar magic is at byte 257 of a 512-byte block, so this many bytes identify every format below.
SNIFF_BYTES = 512
GZIP_MAGIC = b"\x1f\x8b"


class FileFormat(NamedTuple):
    """`name` completes "The file is …"; `remedy` is a sentence with the command to run."""

    name: str
    remedy: str


_ZIP = FileFormat(
    "a zip archive",
    "Repackage it on Linux or macOS: unzip game.zip -d unzipped && tar czf game.tar.gz -C unzipped mygame",
)
_RAR = FileFormat("a rar archive", "Repackage it: unrar x game.rar unpacked/ && tar czf game.tar.gz -C unpacked mygame")

_SIGNATURES: tuple[tuple[bytes, FileFormat], ...] = (
    (b"PK\x03\x04", _ZIP),
    (b"PK\x05\x06", _ZIP),
    (b"BZh", FileFormat("bzip2", "Compress it with gzip instead: bzcat game.tar.bz2 | gzip > game.tar.gz")),
    (b"\xfd7zXZ\0", FileFormat("xz", "Compress it with gzip instead: xzcat game.tar.xz | gzip > game.tar.gz")),
    (
        b"\x28\xb5\x2f\xfd",
        FileFormat("zstd", "Compress it with gzip instead: zstdcat game.tar.zst | gzip > game.tar.gz"),
    ),
    (b"\x04\x22\x4d\x18", FileFormat("lz4", "Compress it with gzip instead: lz4cat game.tar.lz4 | gzip > game.tar.gz")),
    (b"LZIP", FileFormat("lzip", "Compress it with gzip instead: lzip -dc game.tar.lz | gzip > game.tar.gz")),
    (b"\x1f\x9d", FileFormat("compress (.Z)", "Compress it with gzip instead: zcat game.tar.Z | gzip > game.tar.gz")),
    (
        b"7z\xbc\xaf\x27\x1c",
        FileFormat("a 7z archive", "Repackage it: 7z x game.7z -ounpacked && tar czf game.tar.gz -C unpacked mygame"),
    ),
    (b"Rar!\x1a\x07", _RAR),
    (GZIP_MAGIC, FileFormat("gzip", "Remove one layer of gzip: gunzip game.tar.gz.gz")),
)
_PLAIN_TAR = FileFormat("a tar that is not compressed", "Compress it with gzip: gzip game.tar")


def detect_format(head: bytes) -> FileFormat | None:
    """The format of a file that begins with `head` (up to SNIFF_BYTES bytes), or None for an unknown format."""
    for signature, named in _SIGNATURES:
        if head.startswith(signature):
            return named
    return _PLAIN_TAR if is_tar_header(head) else None
