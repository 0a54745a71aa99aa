"""The options of `slipway push`."""

from __future__ import annotations

from dataclasses import dataclass

WAIT_LEVELS = ("stored", "checked", "released", "cached")


@dataclass(frozen=True)
class PushOptions:
    """`wait` is one of WAIT_LEVELS. `release` None means the game's setting. `full`: send a directory's whole archive,
    also where an update would do. `ignore` are patterns for a directory. In seconds: `timeout` limits the wait after
    the upload, `patience` the time without a response."""

    slug: str
    note: str | None = None
    version_label: str | None = None
    release: bool | None = None
    if_changed: bool = False
    dry_run: bool = False
    full: bool = False
    ignore: tuple[str, ...] = ()
    wait: str = "checked"
    timeout: float = 3600.0
    patience: float = 300.0

    @property
    def upload_fields(self) -> dict[str, object]:
        """The fields of the API's upload request that the options set."""
        fields = {"note": self.note, "versionLabel": self.version_label, "release": self.release}
        return {name: value for name, value in fields.items() if value is not None}
