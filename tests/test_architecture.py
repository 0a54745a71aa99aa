"""Checks the architecture in the source: which package may import which, and what no file may contain."""

from __future__ import annotations

import ast
import functools
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.selection import LONG, SLOW

PACKAGES = ("app", "slipway", "bench", "migrations", "tests")
# What is made or fetched by tools, and not ours to keep tidy.
NOT_OURS = {".git", ".venv", "node_modules", "instance", "dist", "screenshots", "__pycache__", "slipway.egg-info"}
TEXTS = {
    ".py",
    ".md",
    ".cfg",
    ".toml",
    ".txt",
    ".lock",
    ".json",
    ".js",
    ".ts",
    ".mjs",
    ".css",
    ".html",
    ".svg",
    ".ini",
    ".mako",
}


@dataclass(frozen=True)
class Import:
    """One import, wherever in the file it stands: one within a function is an arrow too."""

    module: str  # who imports
    name: str  # "flask.request" for `from flask import request`
    line: int

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.name}"


def sources(*packages: str) -> Iterator[tuple[str, ast.Module]]:
    """Every module of some packages by its dotted name."""
    for package in packages:
        for path in files(ROOT / package):
            if path.suffix == ".py":
                name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
                yield name, parsed(path)


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def files(folder: Path) -> Iterator[Path]:
    """Every file of ours below a folder."""
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - NOT_OURS)
        yield from (Path(where, name) for name in sorted(names))


def imports(*packages: str) -> list[Import]:
    found: list[Import] = []
    for module, tree in sources(*packages):
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found += [Import(module, name.name, node.lineno) for name in node.names]
            elif isinstance(node, ast.ImportFrom):
                near = module.split(".")[: -node.level] if node.level else []  # from . import, from .names import
                start = ".".join([*near, *([node.module] if node.module else [])])
                found += [Import(module, f"{start}.{name.name}", node.lineno) for name in node.names]
    assert found
    return found


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def among(*packages: str) -> list[str]:
    """Those of the packages that are there."""
    return [package for package in packages if (ROOT / package.replace(".", "/")).exists()]


def test_the_two_faces_never_import_each_other() -> None:
    assert [str(i) for i in imports("app/api") if within(i.name, "app.web")] == []
    assert [str(i) for i in imports("app/web") if within(i.name, "app.api")] == []


RULES = ("accounts", "catalog", "uploads", "images", "components", "fleet", "packing", "maintenance", "monitoring")
GROUND = ("config", "data/models", "limits", "storage", "topics")


def test_rules_know_no_face_and_no_request() -> None:
    """They take and return plain objects; HTTP stays in the faces. `current_app` is how they find their settings."""
    of_a_request = {f"flask.{name}" for name in ("request", "session", "g", "Response", "url_for", "abort", "redirect")}
    for package in among(*(f"app/{name}" for name in (*RULES, *GROUND))):
        faces = [str(i) for i in imports(package) if within(i.name, "app.api", "app.web")]
        assert faces == []
        http = [
            str(i)
            for i in imports(package)
            if i.name in of_a_request or within(i.name, "werkzeug", "flask_wtf", "flask_login", "flask_htmx", "wtforms")
            if i.module != "app.process.logs"  # it puts the request's id on log lines and answers
        ]
        assert http == []


def test_what_is_stored_knows_nothing_of_the_rules() -> None:
    rules = [f"app.{name}" for name in RULES]
    found = [str(i) for package in GROUND for i in imports(f"app/{package}") if within(i.name, *rules)]

    assert found == []


def test_faces_hold_no_rules_so_nobody_below_needs_them() -> None:
    """Only the wiring knows both faces. The web server refuses what never reaches the app in the API's envelope."""
    wiring = {"app", "app.runtime.error_handlers", "app.runtime.jobs", "app.runtime.web_server.early_errors"}
    found = [
        str(i)
        for i in imports("app")
        if within(i.name, "app.api", "app.web")
        and not within(i.module, "app.api", "app.web")
        and i.module not in wiring
    ]

    assert found == []


@pytest.mark.parametrize(
    ("package", "libraries"),
    [
        ("archive", {"isal"}),
        ("client", {"urllib3"}),
        ("packs", {"pyfastcdc", "zstandard"}),
        ("agent", {"isal", "psutil", "urllib3"}),
        ("cli", {"click", "isal", "rich", "urllib3"}),
    ],
)
def test_what_is_installed_elsewhere_imports_nothing_of_the_portal(package: str, libraries: set[str]) -> None:
    """Game servers and CI machines install `slipway` without Flask (setup.cfg)."""
    allowed = set(sys.stdlib_module_names) | libraries | {"slipway"}

    assert [str(i) for i in imports(f"slipway/{package}") if i.name.split(".")[0] not in allowed] == []


# Each line may import itself and the lines below it.
LEVELS = (
    ("app",),
    ("app.runtime",),
    ("app.web", "app.api"),
    ("app.monitoring",),
    ("app.maintenance",),
    ("app.components",),
    ("app.images",),
    ("app.uploads",),
    ("app.catalog",),
    ("app.fleet",),
    ("app.packing",),
    ("app.accounts",),
    ("app.storage",),
    ("app.topics",),
    ("app.limits",),
    ("app.data",),
    ("app.process",),
    ("app.config",),
    ("app.refusals", "app.validation"),
)


def level_of(name: str) -> int:
    """How high a module stands. `app` itself, the wiring, is the highest, and app/runtime is above both faces."""
    for level, packages in enumerate(LEVELS):
        if level and within(name, *packages):
            return level
    return 0


def own_modules(*packages: str) -> set[str]:
    return {name for name, _ in sources(*packages)}


def edges(*packages: str) -> dict[str, set[str]]:
    """Module -> the modules of ours that it imports, lazily and for types too."""
    known = own_modules(*packages)
    found: dict[str, set[str]] = {name: set() for name in known}
    for each in imports(*packages):
        name = each.name
        while name and name not in known:
            name = name.rpartition(".")[0]
        if name and name != each.module:
            found[each.module].add(name)
    return found


def test_arrows_point_down() -> None:
    upwards = [
        f"{module} -> {name}"
        for module, names in edges("app").items()
        for name in names
        if level_of(name) < level_of(module)
    ]

    assert upwards == []


@pytest.mark.parametrize("package", ["app", "slipway", "bench"])
def test_no_two_modules_import_each_other(package: str) -> None:
    """Neither directly nor around a corner, neither at the top nor lazily: the order below must be possible."""
    TopologicalSorter(edges(package)).prepare()


def test_no_chain_of_imports_is_long() -> None:
    found = edges("app")
    depth: dict[str, int] = {}
    for module in TopologicalSorter(found).static_order():
        depth[module] = 1 + max((depth[name] for name in found[module]), default=0)

    assert max(depth.values()) <= 14


def test_faces_hold_no_sql() -> None:
    assert [str(i) for i in imports("app/web", "app/api") if within(i.name, "sqlalchemy")] == []


def test_no_folder_has_to_be_searched() -> None:
    folders = Counter(path.parent for package in ("app", "slipway", "bench") for path in files(ROOT / package))

    assert {str(folder.relative_to(ROOT)): count for folder, count in folders.items() if count > 20} == {}


def test_modules_are_named_by_what_they_are() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers", "base_utils", "stuff"}

    assert [name for name, _ in sources(*PACKAGES) if vague & set(name.split("."))] == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [name for name, tree in sources(*among(*PACKAGES)) if tree.body and not ast.get_docstring(tree)]

    assert silent == []


def test_files_that_begin_first_are_there() -> None:
    """A file that was renamed would begin last again."""
    assert [path for path in LONG if not Path(path).exists()] == []


def test_slow_tests_are_there() -> None:
    """A test that was renamed would be in the inner loop again."""
    for test in SLOW:
        path, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / path).read_text()


def test_tests_wait_on_conditions_and_never_sleep() -> None:
    """A pause that is long enough today is a flaky test on a busy machine. A poll with a deadline that pauses between
    its looks does so on an Event."""
    asleep = []
    for name, tree in sources("tests"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _dotted(node.func) in {"time.sleep", "sleep", "asyncio.sleep"}:
                asleep.append(f"{name}:{node.lineno}")
            if isinstance(node, ast.Attribute) and node.attr == "wait_for_timeout":  # Playwright's own sleep
                asleep.append(f"{name}:{node.lineno}")

    assert asleep == []


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def texts() -> Iterator[tuple[Path, str]]:
    """Every text of the repository."""
    for path in files(ROOT):
        if path.suffix in TEXTS or path.name in {"Makefile", "LICENSE", ".gitignore", "run"}:
            yield path.relative_to(ROOT), path.read_text(errors="replace")


def test_no_file_names_a_package_registry() -> None:
    """Where packages come from is for the machine that installs them to say."""
    # In halves, so that this file does not name them either.
    hosts = [
        f"{name}.{end}"
        for name, end in [
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("npmjs", "org"),
            ("npmjs", "com"),
            ("yarnpkg", "com"),
            ("docker", "io"),
            ("ghcr", "io"),
            ("quay", "io"),
            ("crates", "io"),
            ("rubygems", "org"),
            ("golang", "org"),
            ("jsdelivr", "net"),
            ("unpkg", "com"),
        ]
    ]

    assert [f"{path}: {host}" for path, text in texts() for host in hosts if host in text] == []


def test_no_file_names_a_path_outside_of_the_project() -> None:
    workshop = "/" + "work" + "/"

    assert [str(path) for path, text in texts() if workshop in text] == []


def test_templates_have_no_line_over_160_characters() -> None:
    """`make format` wraps attributes; text and template tags are for the author to wrap."""
    lines = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files(ROOT / "app" / "templates")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line) > 160
    ]

    assert lines == []


def test_nothing_is_left_to_be_done_in_a_comment() -> None:
    marks = ["TO" + "DO", "FIX" + "ME", "XX" + "X:", "HA" + "CK:"]
    code = [(path, text) for path, text in texts() if path.suffix in {".py", ".js", ".ts", ".mjs", ".css", ".html"}]

    assert [f"{path}: {mark}" for path, text in code for mark in marks if mark in text] == []
