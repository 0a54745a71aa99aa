"""From an update file and its base back to an archive, without a disk."""
