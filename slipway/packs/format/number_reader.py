"""Reading LEB128 numbers from bytes that nobody vouches for."""

from __future__ import annotations

_MAX_BITS = 35  # five bytes: more than any number of the format needs


class BadNumber(ValueError):
    """The bytes end within a number, or it is too long."""


class NumberReader:
    """Walks over `data`; every number is bounded."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    @property
    def at_end(self) -> bool:
        return self.position == len(self._data)

    def number(self) -> int:
        """The next unsigned number. Raises BadNumber."""
        value = shift = 0
        while True:
            if self.position >= len(self._data) or shift >= _MAX_BITS:
                raise BadNumber
            byte = self._data[self.position]
            self.position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def signed(self) -> int:
        """The next zigzag number. Raises BadNumber."""
        number = self.number()
        return -(number + 1) // 2 if number & 1 else number // 2
