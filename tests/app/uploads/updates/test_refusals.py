"""Updates that are refused: nothing is kept, and the reason says what to do."""

from __future__ import annotations

import pytest
from flask import Flask

from app.packing.pack_removal import discard_pack
from app.storage.bucket import bucket
from app.uploads.resumable.archive_check import Outcome, examine
from app.uploads.updates import assembly
from app.uploads.updates.base_builds import find_base
from tests.app.api.calling import refused
from tests.app.uploads.resumable.databases import one_database
from tests.app.uploads.resumable.rows import builds, is_clean, row, transfers
from tests.app.uploads.resumable.sending import Sender
from tests.app.uploads.updates.packed_bases import PackedBase, build_numbered, published_base
from tests.game_archives import game_archive
from tests.slipway.packs.trees import noise


def failed(sender: Sender, file: bytes, **fields: object) -> tuple[str, str]:
    """Send an update that is refused by its check, and insist that nothing is left of it: its code and reason."""
    state = sender.published(file, **fields)
    assert (state["phase"], state["build"]) == ("failed", None), state
    assert is_clean()
    stored = row(str(state["id"]))
    assert stored is not None
    assert stored.reserved_bytes == 0
    return str(state["error"]), str(state["reason"])


def test_a_base_must_be_a_build_of_the_game_with_a_pack(
    app: Flask, sender: Sender, stranger: Sender, base: PackedBase
) -> None:
    file = base.update_file(script=b"label start:\n")
    assert "no build 7" in refused(sender.begin(file, base=7), 404, "not_found")
    # The number means a build of one's own game: another partner's build cannot be named.
    refused(stranger.begin(file, base=1), 404, "not_found")
    sender.published(game_archive(seed=2))
    assert "no pack" in refused(sender.begin(file, base=2), 409, "no_pack")
    refused(sender.begin(file, base=0), 400, "invalid_request")
    assert transfers() == []


@one_database
def test_another_partners_chunks_are_never_found(
    app: Flask, sender: Sender, stranger: Sender, base: PackedBase, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """An update may only use chunks of its own base, even if the same bytes are stored for somebody else."""
    file = base.update_file(script=b"label start:\n")
    published_base(stranger, tmp_path_factory.mktemp("other") / "base", game_archive(seed=9))
    code, reason = failed(stranger, file, base=1)
    assert code == "invalid_update"
    assert "another build" in reason


def test_files_that_repeat_one_chunk_do_not_grow_without_limit(
    app: Flask, sender: Sender, base: PackedBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the quota, the size limit and the limits of archives. A few copies are fine."""
    monkeypatch.setattr(assembly, "GROWTH_GRACE_BYTES", 10_000)
    content = noise(400_000)
    packed = find_base(build_numbered(1).game_id, 1).pack.pack_bytes
    copies = assembly.MAX_GROWTH * (packed + len(content)) // len(content) + 1
    names = [f"copy{number}" for number in range(copies)]
    few = base.update_file(**dict.fromkeys(names[:3], content))
    assert sender.published(few, base=1)["phase"] == "done"

    file = base.update_file(**dict.fromkeys(names, content))
    assert len(file) < 1.1 * len(content)
    code, reason = failed(sender, file, base=1)

    assert code == "invalid_update"
    assert f"more than {assembly.MAX_GROWTH} times the " in reason
    assert "`slipway push --full`" in reason


def test_hostile_files_leave_nothing(app: Flask, sender: Sender, base: PackedBase) -> None:
    good = base.update_file(script=b"label start:\n    'Hello.'\n")
    for file in (b"no update", good[:-1], good + b"\0", good.replace(b"Hello", b"Hallo"), bytes(len(good))):
        code, reason = failed(sender, file, base=1)
        assert code == "invalid_update"
        assert "slipway push --full" in reason
    assert [build.number for build in builds()] == [1]


@one_database
def test_an_update_that_would_make_a_bad_archive_gets_the_archives_reason(
    app: Flask, sender: Sender, base: PackedBase
) -> None:
    (base.root / "PaperLanterns-1.0/paper-lanterns.sh").chmod(0o644)
    code, reason = failed(sender, base.update_file(), base=1)
    assert code == "invalid_archive"
    assert "is not executable" in reason


@one_database
def test_the_announced_checksum_is_that_of_the_file(app: Flask, sender: Sender, base: PackedBase) -> None:
    code, _ = failed(sender, base.update_file(script=b"label one:\n"), base=1, checksum="0" * 64)
    assert code == "checksum_mismatch"


def test_a_base_that_is_deleted_meanwhile_is_the_reason(app: Flask, sender: Sender, base: PackedBase) -> None:
    file = base.update_file(script=b"label start:\n")
    upload_id = sender.sent(file, base=1)
    sender.published(game_archive(seed=2))  # is live now, so build 1 can be deleted
    assert sender.ask("DELETE", "/api/partners/games/paper-lanterns/builds/1").status_code == 204
    assert examine(upload_id) is Outcome.FAILED
    state = sender.state(upload_id)
    assert (state["error"], state["base"]) == ("base_unusable", 1)
    assert "was deleted meanwhile" in state["reason"]
    assert is_clean()


@pytest.mark.parametrize("lost", ["row", "pack", "index"])
def test_a_pack_that_is_freed_meanwhile_is_the_reason(app: Flask, sender: Sender, base: PackedBase, lost: str) -> None:
    upload_id = sender.sent(base.update_file(script=b"label start:\n"), base=1)
    found = find_base(build_numbered(1).game_id, 1)
    if lost == "row":
        discard_pack(found.pack)
    else:
        bucket().delete([f"{found.pack.folder}/{lost}"])
    assert examine(upload_id) is Outcome.FAILED
    assert sender.state(upload_id)["error"] == "base_unusable"
    assert transfers() == []


def test_a_damaged_pack_is_noticed(app: Flask, sender: Sender, base: PackedBase) -> None:
    """Every chunk is hashed before it is used."""
    found = find_base(build_numbered(1).game_id, 1)
    store_object(found.pack.pack_key, bytes(found.pack.pack_bytes))
    code, reason = failed(sender, base.update_file(script=b"label start:\n"), base=1)
    assert code == "invalid_update"
    assert "the base build's pack" in reason


def store_object(key: str, content: bytes) -> None:
    transfer = bucket().start_multipart(key)
    etag = bucket().put_part(key, transfer, 1, [content])
    bucket().complete_multipart(key, transfer, [etag])
