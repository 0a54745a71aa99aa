"""`python -m bench [--save] [name …]`: runs all benches, or those named. `--save` keeps the figures for comparison."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench.fleet import fleet_reports, release_to_all
from bench.harness.figures import save_figures
from bench.packs import fleet_updates, pack_bench
from bench.uploads import browser_upload, cli, upload
from bench.web import dashboard, games_list, images, live_updates, many, page_flood, reads

BENCHES = {
    "upload": upload.run,
    "page": browser_upload.run,
    "cli": cli.run,
    "live": live_updates.run,
    "list": games_list.run,
    "reads": reads.run,
    "reports": fleet_reports.run,
    "release": release_to_all.run,
    "many": many.run,
    "dashboard": dashboard.run,
    "assets": images.run,
    "flood": page_flood.run,
    "packs": pack_bench.run,
    "fleet": fleet_updates.run,
}


def main() -> int:
    """Run the named benches. Returns 1 if a target was missed."""
    names = [name for name in sys.argv[1:] if name != "--save"] or list(BENCHES)
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        print(f"There is no bench {', '.join(unknown)}. Choose from: {', '.join(BENCHES)}.", file=sys.stderr)
        return 2
    met = True
    for name in names:
        with tempfile.TemporaryDirectory(prefix=f"slipway-bench-{name}-") as directory:
            print(f"\n== {name} ==")
            met = BENCHES[name](Path(directory)) and met
    if "--save" in sys.argv[1:]:
        save_figures()
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
