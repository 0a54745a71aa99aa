"""How much work and space an archive may cost its reader."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ArchiveLimits:
    """Limits that are checked while an archive streams; each is inclusive.

    The defaults for names fit a Linux file system (NAME_MAX is 255 bytes) and leave room for the path of a server's
    cache directory (PATH_MAX is 4096 bytes).
    """

    unpacked_bytes: int = 100 * 2**30
    """All output of gunzip: file contents, tar headers and padding."""

    members: int = 500_000
    """Files, links and directories, including directories that only appear as part of a path."""

    ratio: int = 200
    """Unpacked bytes per compressed byte, measured once `ratio_grace_bytes` have been unpacked. See `archive_bytes`."""

    ratio_grace_bytes: int = 64 * 2**20

    archive_bytes: int = 0
    """The size of the complete archive, if it is known. The ratio is then that of the complete archive while only its
    beginning has been read, so the order of the files makes no difference. At the end, what was read counts."""

    processing_seconds: float = 900
    """CPU time spent on reading the archive; waiting for a slow client does not count."""

    name_bytes: int = 255
    """One segment of a path, in UTF-8."""

    path_bytes: int = 1024
    """The complete path, in UTF-8."""

    depth: int = 64
    """Segments of a path."""
