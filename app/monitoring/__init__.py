"""What Prometheus scrapes: gauges of this process and the database. `app/process/metrics.py` has the counters."""
