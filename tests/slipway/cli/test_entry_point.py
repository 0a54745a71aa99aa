"""The entry point of `slipway` in an installation without the extra `cli`."""

from __future__ import annotations

import subprocess
import sys

WITHOUT_CLICK = """
import sys
sys.modules["click"] = None  # an import then fails as if click were not installed
from slipway.cli.entry_point import main
sys.exit(main())
"""


def test_a_missing_extra_is_named() -> None:
    process = subprocess.run([sys.executable, "-c", WITHOUT_CLICK], capture_output=True, text=True, check=False)
    assert process.returncode == 1
    assert process.stderr == "slipway: the command line is not installed. Run: pip install 'slipway[cli]'\n"
