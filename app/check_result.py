"""What one check of the installation found (app/doctor.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class CheckResult:
    """`text` is for operators: what was found, and what to set where it failed. `skipped` is what does not apply, or
    could not be tried."""

    state: Literal["ok", "failed", "skipped"]
    text: str


def ok(text: str) -> CheckResult:
    return CheckResult("ok", text)


def failed(text: str) -> CheckResult:
    return CheckResult("failed", text)


def skipped(text: str) -> CheckResult:
    return CheckResult("skipped", text)
