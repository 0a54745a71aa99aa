"""Benches of packs. `python -m bench.packs` runs the one of updates, installing and publishing."""
