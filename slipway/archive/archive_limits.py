"""How much an archive may ask of whoever reads it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ArchiveLimits:
    """Budgets that hold while an archive streams by; each is inclusive.

    The defaults of names are what a Linux file system holds (NAME_MAX 255 bytes) and what every game can open
    below a server's cache folder (PATH_MAX is 4096 bytes in all).
    """

    unpacked_bytes: int = 100 * 2**30
    """Everything that comes out of gunzip: file contents, tar headers and padding."""

    members: int = 500_000
    """Files, links and directories, the directories that are only implied by a path among them."""

    ratio: int = 200
    """Unpacked bytes per compressed byte, measured once `ratio_grace_bytes` have been unpacked."""

    ratio_grace_bytes: int = 64 * 2**20

    processing_seconds: float = 900
    """CPU time spent reading the archive, never the time spent waiting for a slow client."""

    name_bytes: int = 255
    """One segment of a path, in UTF-8."""

    path_bytes: int = 1024
    """A whole path, in UTF-8."""

    depth: int = 64
    """Segments of a path."""
