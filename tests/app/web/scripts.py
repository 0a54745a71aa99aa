"""The modules of the page's script, run in Node: those that need neither a page nor a network."""

from __future__ import annotations

import json
import subprocess

from tests.app.api.v1.test_javascript import node
from tests.conftest import ROOT

SOURCE = ROOT / "app" / "static" / "src"


def module(name: str) -> str:
    """What a script imports for a module below js/, quoted."""
    return json.dumps((SOURCE / "js" / name).as_uri())


def run(script: str, given: object) -> object:
    """What a script logs, as JSON. It finds `given` as a constant of that name."""
    preamble = 'import { readFileSync } from "node:fs"; const given = JSON.parse(readFileSync(0));\n'
    ended = subprocess.run(
        [node(), "--input-type=module", "-e", preamble + script],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)
