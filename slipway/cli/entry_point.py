"""The entry point of `slipway`. It names the missing extra if only the agent is installed."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line. Returns the exit code; see `exit_codes`."""
    try:
        from slipway.cli.commands import main as run_command
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        sys.stderr.write("slipway: the command line is not installed. Run: pip install 'slipway[cli]'\n")
        return 1
    return run_command()
