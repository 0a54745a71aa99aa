"""What `make check` holds the scripts to: every one of them is typed and linted, and each has its place."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.app.api.v1.test_javascript import node
from tests.app.web.scripts import SOURCE
from tests.conftest import ROOT

STATIC = SOURCE.parent
SCRIPTS = sorted(SOURCE.rglob("*.js"))
TOOLS = ROOT / "node_modules"


def call(tool: str, *arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """A tool of node_modules, as `npm run` calls it."""
    return subprocess.run(
        [node(), str(TOOLS / tool), *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def types(project: Path) -> subprocess.CompletedProcess[str]:
    return call("typescript/bin/tsc", "-p", str(project), "--listFiles")


def test_make_check_runs_both() -> None:
    check = re.search(r"^check:.*node_modules/\.dev.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert check
    assert "run types" in check[1]
    assert "run lint" in check[1]
    scripts = json.loads((ROOT / "package.json").read_text())["scripts"]
    assert scripts["types"] == "tsc -p app/static && tsc -p app/static/src"
    assert scripts["lint"].startswith("eslint --max-warnings 0 app/static/src app/static/build.mjs")


@pytest.mark.parametrize(("project", "files"), [(STATIC, [STATIC / "build.mjs"]), (SOURCE, SCRIPTS)])
def test_every_script_has_types_that_hold(project: Path, files: list[Path]) -> None:
    found = types(project)

    assert found.returncode == 0, found.stdout
    assert set(map(str, files)) <= set(found.stdout.splitlines())


@pytest.mark.parametrize(
    ("mistake", "told"),
    [
        # Without strictness each of these would pass.
        ("export const first = (list) => list[0];", "implicitly has an 'any' type"),
        ("document.getElementById('x').focus();", "is possibly 'null'"),
        # A field that no file has declared.
        (
            "import { Upload } from './js/uploads/upload.js';\n"
            "export const mark = (/** @type {Upload} */ upload) => { upload.saidAt = 1; };",
            "Property 'saidAt' does not exist on type 'Upload'",
        ),
        # What only another state has.
        (
            "import { Upload } from './js/uploads/upload.js';\n"
            "export const build = (/** @type {Upload} */ { state }) => state.name === 'failed' && state.build;",
            "Property 'build' does not exist on type",
        ),
        (
            "import { Upload } from './js/uploads/upload.js';\n"
            "export const end = (/** @type {Upload} */ upload) => upload.become({ name: 'done' });",
            "Type '\"done\"' is not assignable",
        ),
    ],
)
def test_mistakes_are_found(mistake: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "js").symlink_to(SOURCE / "js")
    (tmp_path / "mistake.js").write_text(mistake)
    options: dict[str, object] = {"extends": str(SOURCE / "tsconfig.json"), "files": ["mistake.js"], "include": []}
    options["compilerOptions"] = {"preserveSymlinks": True, "paths": {"*": [str(TOOLS / "*")]}}
    (tmp_path / "tsconfig.json").write_text(json.dumps(options))

    found = types(tmp_path)

    assert found.returncode != 0
    assert told in found.stdout


def test_the_linter_finds_nothing() -> None:
    found = call("eslint/bin/eslint.js", "--max-warnings", "0", "app/static/src", "app/static/build.mjs")

    assert found.returncode == 0, found.stdout


def test_every_module_is_used_and_no_two_import_each_other() -> None:
    imports = {
        path: [
            (path.parent / name).resolve()
            for name in re.findall(r'^import [^;]*?"(\.[^"]+)";$', path.read_text(), re.M)
        ]
        for path in SCRIPTS
    }
    done: set[Path] = set()

    def walk(path: Path, above: tuple[Path, ...]) -> None:
        assert path not in above, [str(one.relative_to(SOURCE)) for one in (*above, path)]
        if path not in done:
            for name in imports[path]:
                walk(name, (*above, path))
            done.add(path)

    walk(SOURCE / "main.js", ())
    assert done == set(SCRIPTS)
