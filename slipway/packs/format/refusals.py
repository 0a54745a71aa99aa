"""The errors of this package. `str()` of each says what is wrong, and where."""


class PackRefused(Exception):
    """Something of a pack breaks the format's rules, or is not what its hash promises."""


class IndexRefused(PackRefused):
    """An index, or an index compressed against an older one."""


class EntriesRefused(IndexRefused):
    """An index with entries that an archive may not have either, or that are not a packaged game."""


class UpdateRefused(PackRefused):
    """An update file, or one that does not fit its base."""


class PatchRefused(PackRefused):
    """A patch object. The chunks that it would have made can still be fetched from the pack."""


class ChunksDamaged(PackRefused):
    """Chunks that are wrong or missing in the pack itself, after fetching them again."""


class TreeUnsuitable(Exception):
    """A directory that cannot become a pack: what stands there is no game's file, or it changed meanwhile."""


class TransferCancelled(Exception):
    """`cancelled` returned true. What is in place stays, to be continued from."""
