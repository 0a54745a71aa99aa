"""A WSGI app that takes long to load: until somebody writes to the FIFO that LOADS_AFTER names."""

from __future__ import annotations

import os
from pathlib import Path

from tests.app.runtime.waiting_app import app as app

Path(os.environ["LOADS_AFTER"]).read_text()
