"""`make bench NAME …`, and a bench that is started without the packages that it needs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import BENCHES

ROOT = Path(__file__).resolve().parents[2]


def planned(*goals: str) -> list[str]:
    """The commands that make would run for these goals."""
    result = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", *goals], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


@pytest.mark.parametrize(
    ("goals", "names"),
    [
        (["bench"], []),
        (["bench", "packs"], ["packs"]),
        (["bench", "packs", "fleet"], ["packs", "fleet"]),
        (["bench", "list"], ["list"]),
        (["bench", "no-such-bench"], ["no-such-bench"]),  # the bench lists those that exist
        (["bench", "help"], []),
    ],
)
def test_names_behind_bench_are_benches(goals: list[str], names: list[str]) -> None:
    benches = [line.split()[3:] for line in planned(*goals) if line.startswith(".venv/bin/python -m bench")]
    assert benches == [names]


def test_no_bench_has_the_name_of_a_target() -> None:
    targets = re.search(r"^TARGETS = (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets
    assert not set(BENCHES) & set(targets[1].split())


def test_other_targets_take_no_names() -> None:
    result = subprocess.run(
        ["make", "--dry-run", "help", "packs"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert "No rule to make target 'packs'" in result.stderr


@pytest.mark.parametrize("module", ["bench", "bench.packs"])
def test_a_bench_without_its_packages_names_the_target_that_installs_them(module: str) -> None:
    result = subprocess.run([sys.executable, "-S", "-m", module], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr == (
        "The benches need packages of requirements-dev.lock. Run `make bench NAME`: it installs them.\n"
    )
