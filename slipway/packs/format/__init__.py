"""The format itself: the index, its encoding and its rules, and the places of chunks (docs/pack-format.md)."""
