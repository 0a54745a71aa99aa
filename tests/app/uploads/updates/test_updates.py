"""From an update file to a build whose archive is like any other."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from random import Random

from flask import Flask

from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.unpacking import unpack
from tests.app.uploads.resumable.rows import builds, is_clean
from tests.app.uploads.resumable.sending import MIB, Sender
from tests.app.uploads.updates.packed_bases import PackedBase, downloaded, published_base
from tests.game_archives import big_archive
from tests.slipway.packs.trees import standing


def test_an_update_file_becomes_a_released_build(app: Flask, sender: Sender, base: PackedBase, tmp_path: Path) -> None:
    file = base.update_file(script=b"label start:\n    'Hello.'\n")
    done = sender.published(file, base=base.number, note="One line")
    assert (done["phase"], done["build"], done["released"], done["base"]) == ("done", 2, True, 1)
    build = builds()[1]
    archive = downloaded(build)
    assert (build.size, build.sha256) == (len(archive), hashlib.sha256(archive).hexdigest())
    assert (build.file_name, build.note) == ("lanterns.tar.gz", "One line")
    (tmp_path / "unpacked").mkdir()
    unpack(io.BytesIO(archive), tmp_path / "unpacked", ArchiveLimits(), "paper-lanterns.sh")
    assert standing(tmp_path / "unpacked") == standing(base.root)
    assert is_clean()


def test_the_archive_is_the_same_when_it_is_made_twice(app: Flask, sender: Sender, base: PackedBase) -> None:
    """So bytes equal to the newest build's make no new build, as with archives."""
    file = base.update_file(script=b"label again:\n")
    first, second = sender.published(file, base=1), sender.published(file, base=1)
    assert (first["build"], second["build"]) == (2, 2)
    assert (first["unchanged"], second["unchanged"]) == (False, True)
    assert len(builds()) == 2
    assert is_clean()


def test_padding_before_other_files_is_no_bomb(app: Flask, sender: Sender, base: PackedBase) -> None:
    """As in an archive: the ratio of all of it counts."""
    file = base.update_file(a_padding=bytes(80 * MIB), noise=Random(1).randbytes(MIB))
    assert sender.published(file, base=base.number)["phase"] == "done"


def test_a_large_archive_is_written_in_parts(app: Flask, sender: Sender, tmp_path: Path) -> None:
    base = published_base(sender, tmp_path / "base", big_archive(40 * MIB))
    file = base.update_file(more=b"label more:\n")
    assert len(file) < 2000
    done = sender.published(file, base=1)
    assert (done["phase"], done["check"]["bytesRead"]) == ("done", len(file))
    assert builds()[1].size > 40 * MIB
    assert is_clean()
