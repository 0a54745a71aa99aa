"""Messages about archives that are packed here do not tell how to package them."""

from __future__ import annotations

import pytest

from slipway.archive.archive_rejected import ArchiveRejected, repackage
from slipway.cli.exit_codes import ExitCode
from slipway.cli.push.checking.archive_check import refused_archive, refused_folder, without_packaging


@pytest.mark.parametrize(
    ("remedy", "shown"),
    [
        (
            "Make it executable and package again: chmod +x a.sh && tar czf g.tar.gz g",
            "Make it executable: chmod +x a.sh",
        ),
        (f"chmod +x a.sh and package again. {repackage('g')}", "chmod +x a.sh"),
        ("Rename it and package the game again", "Rename it"),
        ("Clear the bits and package the game again: chmod -R u-s,g-s mygame", "Clear the bits"),
        ("Use a relative link that stays inside g", "Use a relative link that stays inside g"),
        (repackage("g"), "Change that in the folder"),
        (f"Keep one of them. {repackage('g')}", "Keep one of them"),
    ],
)
def test_the_remedy_for_a_folder(remedy: str, shown: str) -> None:
    rejected = ArchiveRejected("g/a.sh is wrong", remedy, "g/a.sh")
    folder = refused_folder(rejected)
    assert str(folder) == f"g/a.sh is wrong. {shown}. Then push again."
    assert (folder.code, folder.error_code) == (ExitCode.REFUSED_ARCHIVE, "invalid_archive")
    assert str(refused_archive(rejected)) == f"g/a.sh is wrong. {remedy}."


def test_a_warning_about_a_folder() -> None:
    text = "g/x is a program without an execute bit. Make it executable and package again: chmod +x g/x && tar czf g"
    assert without_packaging(text) == "g/x is a program without an execute bit. Make it executable: chmod +x g/x"
    assert without_packaging("g/a differs from another name only in case") == (
        "g/a differs from another name only in case"
    )
