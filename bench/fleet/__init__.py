"""Benches of many servers: their reports, and a release to all of them."""
