"""Flags of `os.open` that some systems lack: 0 there."""

from __future__ import annotations

import os

O_NOFOLLOW: int = getattr(os, "O_NOFOLLOW", 0)  # missing on Windows
O_BINARY: int = getattr(os, "O_BINARY", 0)  # only on Windows, which otherwise changes line ends
O_NONBLOCK: int = getattr(os, "O_NONBLOCK", 0)  # missing on Windows
