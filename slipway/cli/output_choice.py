"""Which kind of output a command writes, from its options and from the terminal."""

from __future__ import annotations

import sys

from slipway.cli.output import JsonLines, Output


def output_for(*, as_json: bool, quiet: bool) -> Output:
    """The one the options and the terminal ask for."""
    if as_json:
        return JsonLines()
    if quiet:
        return Output()
    # rich takes as long to import as everything else: only commands that draw import it.
    from slipway.cli.terminal import Lines, Terminal

    return Terminal() if sys.stderr.isatty() else Lines()
