"""`python -m bench.packs [--size MiB] [--no-rivals]`: the bench of packs with a game of another size."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bench.packs.pack_bench import SIZE, run
from bench.packs.sample_games import MIB


def main() -> int:
    """Returns 1 if a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.packs", description=__doc__)
    parser.add_argument("--size", type=int, default=SIZE // MIB, help="of the game, in MiB")
    parser.add_argument("--no-rivals", action="store_true", help="leave the other tools out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="slipway-bench-packs-") as name:
        return 0 if run(Path(name), options.size * MIB, rivals=not options.no_rivals) else 1


if __name__ == "__main__":
    sys.exit(main())
