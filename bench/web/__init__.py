"""Benches of pages and of calls that read."""
