"""A directory to push: sent as an update of the platform's build where that is possible, otherwise as an archive."""

from __future__ import annotations

from pathlib import Path

from slipway.cli.output import Output
from slipway.cli.platform_client import PlatformClient
from slipway.cli.push.archive_file import Archive
from slipway.cli.push.archive_sources import OnProgress, SourceOptions, pack_directory
from slipway.cli.push.change_detection import is_same_content
from slipway.cli.push.directory_tree import read_tree
from slipway.cli.push.push_options import PushOptions
from slipway.cli.push.updates.base_build import NoUpdate, fetch_base
from slipway.cli.push.updates.update_source import require_cutting, write_update_file


class DirectorySource:
    """Lists the directory. Raises CommandError."""

    def __init__(
        self, path: Path, platform: PlatformClient, output: Output, options: PushOptions, source: SourceOptions
    ) -> None:
        self._path = path
        self._platform = platform
        self._output = output
        self._options = options
        self._source = source
        self.tree = read_tree(path, options.ignore)

    def open(self, on_progress: OnProgress) -> Archive:
        """An update file, or the whole archive: then the reason is printed, unless it is the first build. Raises
        CommandError."""
        if self._options.full:
            return self.pack(on_progress)
        try:
            require_cutting(self._path)
            base = fetch_base(self._platform, self._options.slug, self._source.limits)
            if base is None:
                return self.pack(on_progress)
            update = write_update_file(self._path, self.tree, base, self._source, on_progress)
        except NoUpdate as reason:
            self._output.info(f"Sending the whole archive: {reason}.")
            return self.pack(on_progress)
        if self._options.if_changed and not base.is_newest:
            return self._unless_unchanged(update, on_progress)
        return update

    def pack(self, on_progress: OnProgress) -> Archive:
        """The whole archive. Raises CommandError."""
        return pack_directory(self._path, self.tree, self._source, on_progress)

    def _unless_unchanged(self, update: Archive, on_progress: OnProgress) -> Archive:
        """The update, unless the newest build has the same content. It has no pack yet, so only the whole archive can
        be compared with it."""
        archive = self.pack(on_progress)
        newest = self._platform.game(self._options.slug, "/builds?limit=1")["builds"]
        if newest and is_same_content(newest[0], archive, self._platform.url, self._options.slug):
            update.close()
            return archive
        archive.close()
        return update
