"""Lists of members and keys."""
