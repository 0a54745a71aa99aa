"""How an archive is cut into parts: equal sizes but the last, at least 5 MiB and at most 10,000 of them, as every
S3-compatible storage accepts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.storage.bucket import StoredPart
from app.storage.part_writer import part_size


@dataclass(frozen=True)
class PartLayout:
    """Bytes. Parts are numbered from 1."""

    size: int
    part_size: int

    @classmethod
    def of(cls, size: int, wanted: int | None = None) -> PartLayout:
        """The layout of a new upload of `size` bytes (at least 1). `wanted`: the part size that the client asks for,
        which is rounded up to whole MiB; larger parts are used where 10,000 such parts are not enough."""
        return cls(size, part_size(size, size, wanted))

    @property
    def count(self) -> int:
        return -(-self.size // self.part_size)

    def size_of(self, number: int) -> int:
        """The exact size of one part. Raises ValueError for an unknown part number."""
        if not 1 <= number <= self.count:
            raise ValueError(f"part {number} of {self.count}")
        return min(self.part_size, self.size - (number - 1) * self.part_size)

    def missing(self, stored: Sequence[StoredPart]) -> list[int]:
        """The numbers of the parts that have not arrived."""
        arrived = {part.number for part in stored}
        return [number for number in range(1, self.count + 1) if number not in arrived]

    def misfits(self, stored: Sequence[StoredPart]) -> list[StoredPart]:
        """Parts that arrived with a wrong size. Numbers beyond the last are ignored: joining leaves them out."""
        return [part for part in self.within(stored) if part.size != self.size_of(part.number)]

    def within(self, stored: Sequence[StoredPart]) -> list[StoredPart]:
        """The stored parts that belong to the archive."""
        return [part for part in stored if 1 <= part.number <= self.count]


def number_list(numbers: Sequence[int], max_shown: int = 5) -> str:
    """Part numbers in a sentence: "2", "2 and 5", "1, 2, 3, 4, 5 and 91 more"."""
    shown = [str(number) for number in numbers[:max_shown]]
    if len(numbers) > max_shown:
        return f"{', '.join(shown)} and {len(numbers) - max_shown:,} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))
