"""The numbers of format version 1: docs/pack-format.md describes them. Changing any of them makes a new version."""

from dataclasses import dataclass

VERSION = 1
HASH_BYTES = 32  # SHA-256
HASH_SHA256 = 1

MAX_CHUNK_BYTES = 4 * 2**20
"""Bounds the memory of whoever reads a chunk. Version 1 cuts at 1 MiB."""

MAX_INDEX_BYTES = 96 * 2**20
"""Uncompressed. 500,000 files with paths of 60 bytes and a million chunks take 71 MB."""

MAX_GENERATIONS = 4096
MAX_REFERENCES = 4 * 2**20
"""Places of chunks in files, one chunk counted as often as it occurs."""

RAW_ABOVE = 0.98
"""A chunk is stored as it is unless zstd brings it to this share of its length."""


@dataclass(frozen=True)
class CuttingRules:
    """Where files are cut; written into every index. Bytes. Builds share chunks only if they were cut alike."""

    min_bytes: int = 64 * 2**10
    average_bytes: int = 256 * 2**10
    max_bytes: int = 2**20
    normalization: int = 1
    alone_bytes: int = 64 * 2**10
    """An `.rpa` entry of this size stands alone; smaller neighbours are cut together, as one run."""
    run_min_bytes: int = 16 * 2**10
    run_average_bytes: int = 64 * 2**10
    run_max_bytes: int = 256 * 2**10


RULES = CuttingRules()
