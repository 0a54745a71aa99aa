"""A tar writer that writes whatever it is told, for archives that no tar program would make."""

from isal import isal_zlib

BLOCK = 512
END = bytes(2 * BLOCK)


def field(value: int, width: int) -> bytes:
    """Octal, or GNU's base-256 for what does not fit."""
    digits = b"%0*o\0" % (width - 1, value)
    return digits if len(digits) <= width else b"\x80" + value.to_bytes(width - 1, "big")


def header(
    name: bytes,
    *,
    typeflag: bytes = b"0",
    size: int | bytes = 0,
    mode: int | bytes = 0o644,
    link: bytes = b"",
    prefix: bytes = b"",
    magic: bytes = b"ustar\x0000",
    mtime: int = 1_700_000_000,
    checksum: bytes | None = None,
) -> bytes:
    """One header block; `size` and `mode` may be given as raw fields, `checksum` overrides the right one."""
    size_field = size if isinstance(size, bytes) else field(size, 12)
    mode_field = mode if isinstance(mode, bytes) else field(mode, 8)
    block = bytearray(BLOCK)
    for start, width, value in (
        (0, 100, name),
        (100, 8, mode_field),
        (124, 12, size_field),
        (136, 12, field(mtime, 12)),
        (148, 8, b" " * 8),
        (156, 1, typeflag),
        (157, 100, link),
        (257, 8, magic),
        (345, 155, prefix),
    ):
        assert len(value) <= width, (start, value)
        block[start : start + len(value)] = value
    block[148:156] = checksum or b"%06o\0 " % sum(block)
    return bytes(block)


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % BLOCK)


def file(name: str | bytes, content: bytes = b"", *, mode: int = 0o644) -> bytes:
    raw = name.encode() if isinstance(name, str) else name
    return header(raw, size=len(content), mode=mode) + padded(content)


def directory(name: str) -> bytes:
    return header(name.encode(), typeflag=b"5", mode=0o755)


def symlink(name: str, target: str | bytes) -> bytes:
    raw = target.encode() if isinstance(target, str) else target
    return header(name.encode(), typeflag=b"2", mode=0o777, link=raw)


def hard_link(name: str, target: str) -> bytes:
    return header(name.encode(), typeflag=b"1", link=target.encode())


def pax(records: dict[str, str | bytes], *, typeflag: bytes = b"x") -> bytes:
    """An extended header; apply it by putting it before a member."""
    return extension(typeflag, b"".join(pax_record(key, value) for key, value in records.items()))


def pax_record(key: str, value: str | bytes) -> bytes:
    rest = b" " + key.encode() + b"=" + (value.encode() if isinstance(value, str) else value) + b"\n"
    length = len(rest)
    while length != len(rest) + len(str(length)):
        length = len(rest) + len(str(length))
    return str(length).encode() + rest


def extension(typeflag: bytes, content: bytes) -> bytes:
    return header(b"././@extended", typeflag=typeflag, size=len(content)) + padded(content)


def gnu_long_name(name: str) -> bytes:
    return extension(b"L", name.encode() + b"\0")


def gnu_long_link(target: str) -> bytes:
    return extension(b"K", target.encode() + b"\0")


def gz(data: bytes, level: int = 1) -> bytes:
    compressor = isal_zlib.compressobj(level, wbits=31)
    return compressor.compress(data) + compressor.flush()


LAUNCHER = "start.sh"
GAME = directory("mygame/") + file(f"mygame/{LAUNCHER}", b"#!/bin/sh\n", mode=0o755) + directory("mygame/game/")


def game(*members: bytes) -> bytes:
    """A good game's tar.gz, with more members at its end."""
    return gz(GAME + b"".join(members) + END)
