"""`/metrics` for Prometheus, and the counting of requests for it."""
