"""The pages under docs/ are true where a program can tell: files, links, settings, the list of decisions."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.browser.effort import documented_efforts
from tests.conftest import ROOT

PAGES = sorted([ROOT / "README.md", ROOT / "SECURITY.md", *(ROOT / "docs").rglob("*.md")])
DECISIONS = ROOT / "docs" / "decisions"
# `app/storage/part_writer.py`, `slipway/archive/`, `tests/conftest.py`
PATH = re.compile(r"`((?:app|slipway|tests|bench|migrations)/[\w./-]+)`")
SETTING = re.compile(r"PORT|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")


def page_name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_named_files_exist(page: Path) -> None:
    assert [path for path in PATH.findall(page.read_text()) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
    local = [target for target in targets if "://" not in target]

    assert [target for target in local if not (page.parent / target).exists()] == []


def test_every_setting_is_in_the_table() -> None:
    rows = [line for line in (ROOT / "docs" / "self-hosting.md").read_text().splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`([A-Z0-9_]+)`", row.split("|")[1])}

    assert documented == settings_in_code()


def settings_in_code() -> set[str]:
    """Names of environment variables that app/config reads, and those of `os.environ` elsewhere in the portal. Crash
    points are for tests only, and systemd sets NOTIFY_SOCKET."""
    found = set()
    for file in (ROOT / "app").rglob("*.py"):
        in_config = file.parent.name == "config"
        for node in ast.walk(ast.parse(file.read_text())):
            if in_config and isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= {node.value} if SETTING.fullmatch(node.value) else set()
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "os.environ.get":
                found.add(ast.literal_eval(node.args[0]))
    return {name for name in found if "CRASH" not in name and name != "NOTIFY_SOCKET"}


def test_every_decision_is_listed_in_order_under_its_own_title() -> None:
    listed = re.findall(r"^(\d+)\. \[(.+)\]\((.+)\)$", (DECISIONS / "README.md").read_text(), re.MULTILINE)
    files = sorted(path for path in DECISIONS.glob("*.md") if path.name != "README.md")
    titles = [(path.name, path.read_text().splitlines()[0].removeprefix("# ")) for path in files]

    assert [(name, title) for _, title, name in listed] == titles
    assert [int(number) for number, _, _ in listed] == [int(path.name[:4]) for path in files]


def test_every_job_of_the_dashboards_table_is_counted_by_one_test() -> None:
    sources = [path.read_text() for path in (ROOT / "tests" / "browser").glob("test_*.py")]
    counted = [job for source in sources for job in re.findall(r"\.assert_documented\(\s*\"([^\"]+)\"", source)]

    assert sorted(counted) == sorted(documented_efforts())
