"""Measurements (`make bench`). Each prints ratios from one run; docs/benchmarks.md has results with their dates."""
