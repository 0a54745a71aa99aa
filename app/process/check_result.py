"""The result of one check of the installation (app/runtime/doctor.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class CheckResult:
    """`text` is for operators: what was found, and which setting to change if the check failed. `skipped`: the check
    does not apply, or could not be made."""

    state: Literal["ok", "failed", "skipped"]
    text: str


def ok(text: str) -> CheckResult:
    return CheckResult("ok", text)


def failed(text: str) -> CheckResult:
    return CheckResult("failed", text)


def skipped(text: str) -> CheckResult:
    return CheckResult("skipped", text)
