"""Measurements (`make bench`). Each prints ratios taken in one run; what was measured when is in docs/benchmarks.md."""
