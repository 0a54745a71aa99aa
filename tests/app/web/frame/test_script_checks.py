"""What `make check` checks of the scripts, and what it would find."""

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


def types(project: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """tsc, as `npm run types` calls it."""
    return subprocess.run(
        [node(), str(TOOLS / "typescript" / "bin" / "tsc"), "-p", ".", *options],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_make_check_runs_both() -> None:
    check = re.search(r"^check:.*node_modules/\.dev.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert check
    assert "run types" in check[1]
    assert "run lint" in check[1]
    scripts = json.loads((ROOT / "package.json").read_text())["scripts"]
    assert scripts["types"] == "tsc -p app/static && tsc -p app/static/src"
    assert scripts["lint"].startswith("eslint --max-warnings 0 app/static/src app/static/build.mjs")


@pytest.mark.slow
@pytest.mark.parametrize(("project", "files"), [(STATIC, [STATIC / "build.mjs"]), (SOURCE, SCRIPTS)])
def test_no_script_is_left_out(project: Path, files: list[Path]) -> None:
    found = types(project, "--listFilesOnly")

    assert found.returncode == 0, found.stdout
    assert set(map(str, files)) <= set(found.stdout.splitlines())
    options = json.loads((STATIC / "tsconfig.json").read_text())["compilerOptions"]
    assert options["checkJs"]
    assert options["strict"]


def test_no_script_writes_an_address_of_the_portal() -> None:
    """A page gives its scripts the addresses, in data attributes from url_for."""
    address = re.compile(r"""["'`]/(?!["'`])[^\s"'`]*["'`]""")
    found = [
        f"{path.relative_to(SOURCE)}: {line.strip()}"
        for path in SCRIPTS
        for line in path.read_text().splitlines()
        if address.search(line) and not line.lstrip().startswith(("*", "//"))
    ]
    assert found == []


UPLOAD = "import { Upload } from './js/uploads/upload.js';\n"
MISTAKES = {
    # Without strictness both would pass.
    "export const first = (list) => list[0];": "implicitly has an 'any' type",
    "document.getElementById('x').focus();": "is possibly 'null'",
    # A field that nobody has declared.
    UPLOAD + "export const mark = (/** @type {Upload} */ upload) => { upload.saidAt = 1; };": (
        "Property 'saidAt' does not exist on type 'Upload'"
    ),
    # A field of another state.
    UPLOAD + "export const build = (/** @type {Upload} */ { state }) => state.name === 'failed' && state.build;": (
        "Property 'build' does not exist on type"
    ),
    # A state that does not exist, and one that lacks a field.
    UPLOAD + "export const end = (/** @type {Upload} */ upload) => upload.become({ name: 'done' });": (
        "Type '\"done\"' is not assignable"
    ),
    UPLOAD + "export const live = (/** @type {Upload} */ upload) => upload.become({ name: 'live', build: 1 });": (
        "is not assignable to parameter of type 'UploadState'"
    ),
}


@pytest.mark.slow
def test_mistakes_are_found(tmp_path: Path) -> None:
    (tmp_path / "js").symlink_to(SOURCE / "js")
    for number, mistake in enumerate(MISTAKES):
        (tmp_path / f"mistake_{number}.js").write_text(mistake)
    options = {
        "extends": str(SOURCE / "tsconfig.json"),
        "include": ["mistake_*.js"],
        "compilerOptions": {"preserveSymlinks": True, "paths": {"*": [str(TOOLS / "*")]}},
    }
    (tmp_path / "tsconfig.json").write_text(json.dumps(options))

    found = types(tmp_path)

    assert found.returncode != 0
    for number, told in enumerate(MISTAKES.values()):
        (line,) = [line for line in found.stdout.splitlines() if line.startswith(f"mistake_{number}.js(")]
        assert told in line


def test_every_module_is_used_and_no_two_import_each_other() -> None:
    named = re.compile(r'^import [^;]*?"(\.[^"]+)";$', re.MULTILINE)
    imports = {path: [(path.parent / name).resolve() for name in named.findall(path.read_text())] for path in SCRIPTS}
    done: set[Path] = set()

    def walk(path: Path, above: tuple[Path, ...]) -> None:
        assert path not in above, [str(one.relative_to(SOURCE)) for one in (*above, path)]
        if path not in done:
            for name in imports[path]:
                walk(name, (*above, path))
            done.add(path)

    walk(SOURCE / "main.js", ())
    assert done == set(SCRIPTS)
