"""Makes the test vectors beside it anew: `python -m tests.slipway.packs.vectors.make`. Their bytes change with the
zstd that makes them, so they are only made again when the format changes."""

from __future__ import annotations

import gzip
import hashlib
import json
import tempfile
from pathlib import Path

from tests.slipway.packs.assembling.updates import assembled, update_file
from tests.slipway.packs.builds import Build, make_build
from tests.slipway.packs.trees import Tree, noise

HERE = Path(__file__).parent

_IMAGES = [b"Made with Ren'Py." + noise(9_000, seed) for seed in range(8)]
_ARCHIVE = b"RPA-3.0 0000000000000000 00000000\n"

FIRST = Tree(
    {
        "start.sh": (b"#!/bin/sh\n", True),
        "game/script.rpy": (b'label start:\n    e "Hello."\n' * 4000, False),
        "game/empty": (b"", False),
        "game/archive.rpa": (_ARCHIVE + b"".join(_IMAGES), False),
        "game/é.txt": (b"one", False),
    },
    directories=("saves",),
    symlinks={"lib/python": "../start.sh"},
    hard_links={"lib/again": "game/archive.rpa"},
)
SECOND = Tree(
    FIRST.files
    | {
        "game/script.rpy": (b'label start:\n    e "Hello."\n' * 2000 + b"# changed\n" * 30, False),
        "game/archive.rpa": (_ARCHIVE + b"".join([*_IMAGES[:5], b"!", *_IMAGES[5:]]), False),
    },
    directories=FIRST.directories,
    symlinks=FIRST.symlinks,
    hard_links=FIRST.hard_links,
)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        first = make_build(Path(folder), FIRST, 1)
        second = make_build(Path(folder), SECOND, 2, first)
        written = second.written
        assert written.delta
        assert written.patch
        objects = {
            "1.pack": first.pack,
            "1.index": first.written.index_object,
            "2.pack": second.pack,
            "2.index": written.index_object,
            "2.index.d1": written.delta,
            "2.patch.1": written.patch,
            "2.update.1": update_file(second.root, first),
        }
        for name, content in objects.items():
            (HERE / name).write_bytes(content)
        tar = gzip.decompress(assembled(objects["2.update.1"], first))
        expected = {"1": _expected(first), "2": _expected(second) | {"tarSha256": hashlib.sha256(tar).hexdigest()}}
        (HERE / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")


def _expected(build: Build) -> dict[str, object]:
    index, reference = build.written.index, build.written.reference
    return {
        "sha256": reference.sha256,
        "size": reference.size,
        "generations": index.generations,
        "files": {index.path(entry): [index.size(entry), index.identity(entry).hex()] for entry in index.files()},
        "links": {index.path(entry): index.target(entry) for entry in index.entries.targets},
    }


if __name__ == "__main__":
    main()
