"""What is still to be fetched into a directory that an earlier attempt has begun."""

from __future__ import annotations

from pathlib import Path

from slipway.agent.packs.missing_bytes import missing_bytes
from slipway.packs.transfer_plan import plan_transfer
from tests.slipway.packs.builds import install, make_build
from tests.slipway.packs.trees import Tree, noise

FIRST = Tree({"a.rpa": (noise(900_000, 1), False), "b.rpa": (noise(500_000, 2), False), "empty": (b"", False)})
SECOND = Tree(FIRST.files | {"c.rpa": (noise(700_000, 3), False), "d.rpa": (noise(700_000, 3), False)})


def test_of_an_install_the_files_that_are_in_place_are_not_missing(tmp_path: Path) -> None:
    build = make_build(tmp_path, FIRST)
    index, into = build.written.index, tmp_path / "installed"
    into.mkdir()
    assert missing_bytes(index, into, None, None) == index.pack_bytes, "nothing is in place"
    install(build, into)
    assert missing_bytes(index, into, None, None) == 0
    for path in (into / "mygame", into / "mygame/b.rpa"):
        path.chmod(0o755)
    (into / "mygame/b.rpa").unlink()
    assert 500_000 <= missing_bytes(index, into, None, None) < 510_000
    with (into / "mygame/b.rpa").open("wb") as file:  # half of it
        file.write(noise(250_000, 2))
        file.truncate(500_000)
    assert 230_000 < missing_bytes(index, into, None, None) < 260_000


def test_of_an_update_only_new_content_is_missing(tmp_path: Path) -> None:
    old = make_build(tmp_path, FIRST)
    new = make_build(tmp_path, SECOND, 2, old)
    index, older, into = new.written.index, old.written.index, tmp_path / "installed"
    into.mkdir()
    wanted = plan_transfer(index, older).fetched_bytes
    assert missing_bytes(index, into, older, None) == wanted
    install(old, into)  # what is copied from the older build does not count
    assert missing_bytes(index, into, older, None) == wanted
    install(new, into, old=old)
    assert missing_bytes(index, into, older, None) == 0
