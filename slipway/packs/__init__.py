"""Packs: builds cut into content-addressed chunks, so that an update sends what changed (docs/pack-format.md).

A pure library. Reading and applying need `zstandard`; only cutting needs `pyfastcdc`, which game servers do without.
"""
