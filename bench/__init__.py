"""Measurements (`make bench`). Each prints ratios from one run; docs/benchmarks.md has results with their dates."""

import sys
from importlib.util import find_spec

# `make run` installs fewer packages. Benches use parts of the tests, so the traceback would name a test.
if find_spec("pytest") is None:
    sys.exit("The benches need packages of requirements-dev.lock. Run `make bench NAME`: it installs them.")
