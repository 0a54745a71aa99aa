"""GIF (CompuServe "GIF89a Specification", 1990), with the looping extension of Netscape and the ICC one."""

from __future__ import annotations

from app.images.metadata.pieces import DamagedContainer, Pieces, Source

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_CONTROL, _APPLICATION = 0xF9, 0xFF  # not comments (FE), nor plain text (01), which nothing shows
_LOOPING = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
_PROFILE = b"ICCRGBG1012"
_NAME_BYTES = 11
_LOOP_BYTES = 3  # of the one sub-block with the number of loops


def strip(source: Source, _orientation: int, *, with_profile: bool = True) -> Pieces:
    """The file with nothing but the picture and, by default, its colour profile; a GIF has no orientation. Raises
    DamagedContainer."""
    if source[:6] not in (b"GIF87a", b"GIF89a") or len(source) < 13:
        raise DamagedContainer("does not begin as a GIF does")
    pieces = Pieces(source)
    position = 13 + _colours(source[10])
    if position > len(source):
        raise DamagedContainer("ends before its picture")
    pieces.keep(0, position)
    while position < len(source):
        pieces.step()
        kind = source[position]
        if kind == _TRAILER:
            pieces.keep(position, position + 1)
            return pieces
        end: int | None = position + 1  # anything else is skipped, as decoders do
        if kind == _IMAGE:
            end = _keep_image(pieces, position)
        elif kind == _EXTENSION:
            end = _keep_extension(pieces, position, with_profile=with_profile)
        if end is None:  # cut off: keep what was complete before
            break
        position = end
    pieces.is_cut_off = True
    pieces.add(bytes((_TRAILER,)))
    return pieces


def _colours(flags: int) -> int:
    """Bytes of the colour table that `flags` announces."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _keep_image(pieces: Pieces, start: int) -> int | None:
    source = pieces.source
    if start + 10 > len(source):
        return None
    data = start + 10 + _colours(source[start + 9]) + 1  # and the code size
    end, complete = _end_of_blocks(pieces, data)
    pieces.keep(start, min(end, len(source)))
    if not complete:  # decoders show what there is
        pieces.add(b"\0")
        return None
    return end


def _keep_extension(pieces: Pieces, start: int, *, with_profile: bool) -> int | None:
    source = pieces.source
    if start + 3 > len(source):
        return None
    label = source[start + 1]
    end, complete = _end_of_blocks(pieces, start + 2)
    if not complete:
        return None
    if label == _CONTROL:
        pieces.keep(start, end)
    elif label == _APPLICATION and source[start + 2] == _NAME_BYTES:
        name, data = source[start + 3 : start + 14], start + 14
        if name == _PROFILE:
            pieces.keep(start, end if with_profile else start)
        elif name in _LOOPING and source[data] == _LOOP_BYTES:
            after = data + 1 + _LOOP_BYTES
            pieces.keep(start, after)
            if source[after] == 0:
                pieces.keep(after, after + 1)
            else:  # more sub-blocks with no known meaning
                pieces.add(b"\0")
    return end


def _end_of_blocks(pieces: Pieces, position: int) -> tuple[int, bool]:
    """The position after the sub-blocks that begin here, and whether an empty one ends them. If the file ends before,
    the position after the last sub-block that is complete."""
    source = pieces.source
    while position < len(source):
        pieces.step()
        end = position + 1 + source[position]
        if end > len(source):
            break
        if end == position + 1:
            return end, True
        position = end
    return position, False
