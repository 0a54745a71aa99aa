"""Backup and restore: a round trip on both databases, while the portal changes, and what is refused."""

from __future__ import annotations

import contextvars
import gzip
import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import URL, delete, select, update

from app import create_app
from app.accounts.actors import COMMAND_LINE
from app.accounts.audit_log import record
from app.config.settings import Settings
from app.data.database import free_connection, writing
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.base import Base
from app.data.models.game import Build, Game
from app.images.object_keys import IMMUTABLE, final_key
from app.maintenance import build_sweep
from app.maintenance.backup import copies, object_copy
from app.maintenance.backup.backup_folder import BackedUpObject, BackupFolder
from app.maintenance.backup.copies import make_backup, restore_backup
from app.maintenance.backup.row_copy import load_rows, one_moment, save_rows
from app.packing.pack_work import make_due_packs
from app.refusals import Conflict, NotFound
from app.storage.bucket import bucket
from app.storage.embedded_server import StorageAccess
from app.storage.objects import object_headers, write_object
from tests.app.fleet.acting import new_game
from tests.app.packing.scenes import LAUNCHER, Studio, game_files, ready_pack
from tests.app.runtime.commands.conftest import Shell
from tests.conftest import Cast, bearer, run_sql, settings_for
from tests.file_modes import mode_of
from tests.filled_tables import fill_tables

IMAGE = b"the bytes of an image"
SLUG = "paper-lanterns"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The folder of a backup."""
    return tmp_path / "backup"


@pytest.fixture
def build(app: Flask, cast: Cast) -> Build:
    """A released build with its pack, and an image."""
    made = Studio(new_game(cast.starlight.partner_id, SLUG, launcher=LAUNCHER).slug).publish(game_files())
    make_due_packs()
    ready_pack(made)
    key = final_key(cast.starlight.partner_id, hashlib.sha256(IMAGE).hexdigest())
    md5 = hashlib.md5(IMAGE).digest()
    write_object(key, io.BytesIO(IMAGE), len(IMAGE), md5, {"Content-Type": "image/png", "Cache-Control": IMMUTABLE})
    free_connection()
    return made


@pytest.fixture
def other_settings(
    request: pytest.FixtureRequest, settings: Settings, tmp_path: Path, storage: StorageAccess
) -> Iterator[Callable[[str], Settings]]:
    """Settings of a second, empty installation on a database of this kind, with a bucket of its own."""
    made: list[str] = []

    def make(kind: str) -> Settings:
        instance = tmp_path / f"second-{kind}"
        instance.mkdir()
        if kind == "sqlite":
            shutil.copy(request.getfixturevalue("empty_sqlite"), instance / "slipway.db")
            return settings_for(instance, storage)
        server: URL = request.getfixturevalue("postgres")
        made.append(f"second_{os.getpid()}")
        run_sql(server, f"CREATE DATABASE {made[0]} TEMPLATE {request.getfixturevalue('empty_postgres')}")
        url = server.set(database=made[0]).render_as_string(hide_password=False)
        return settings_for(instance, storage, DATABASE_URL=url)

    yield make
    for name in made:
        run_sql(request.getfixturevalue("postgres"), f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def second(settings: Settings) -> Iterator[Flask]:
    """An app beside the one of the test, in its own context."""
    other = create_app(settings)
    other.extensions["slipway_bucket"].make()
    try:
        yield other
    finally:
        with other.app_context():
            db.session.remove()
            db.engine.dispose()


def within(app: Flask, run: Callable[[], Any]) -> Any:
    """The result of `run` in that app's context, and not in the test's."""

    def inside() -> Any:
        with app.app_context():
            return run()

    db.session.rollback()
    return contextvars.Context().run(inside)


def all_rows() -> dict[str, list[tuple[Any, ...]]]:
    rows = {
        table.name: sorted((tuple(row) for row in db.session.execute(select(table))), key=repr)
        for table in Base.metadata.sorted_tables
    }
    free_connection()
    return rows


def download(app: Flask, key: str) -> bytes:
    answer = app.test_client().get(f"/api/partners/games/{SLUG}/builds/1/download", headers=bearer(key))
    assert answer.status_code == 200, answer.data
    content: bytes = answer.data
    return content


def test_a_restored_installation_serves_the_same_builds(
    app: Flask, cast: Cast, build: Build, kept: Path, settings: Settings, other_settings: Callable[[str], Settings]
) -> None:
    made = Shell(app).run("backup", str(kept))
    assert made.exit_code == 0, made.output
    assert "4 objects" in made.stdout

    kind = "sqlite" if settings.database_url.startswith("sqlite") else "postgres"
    with second(other_settings(kind)) as other:
        restored = Shell(other).run("restore", str(kept))
        assert restored.exit_code == 0, restored.output
        assert within(other, all_rows) == all_rows()
        assert within(other, build_sweep.check).missing == []
        assert hashlib.sha256(download(other, cast.starlight.key)).hexdigest() == build.sha256
        answer = other.test_client().get("/api/servers/self/plan", headers=bearer(cast.servers["srv-01"]))
        assert [(found["build"], found["pack"]["bytes"]) for found in answer.get_json()["builds"]] == [
            (1, ready_pack(build).pack_bytes)
        ]
        headers = within(other, lambda: object_headers(final_key(cast.starlight.partner_id, _sha256(IMAGE))))
        assert (headers["Content-Type"], headers["Cache-Control"]) == ("image/png", IMMUTABLE)
        assert (other.config["SLIPWAY"].instance / "secret_key").read_text() == settings.secret_key
        _goes_on(other)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _goes_on(other: Flask) -> None:
    """New rows get new numbers."""

    def add() -> tuple[int, int]:
        highest = db.session.scalars(select(AuditEntry.id).order_by(AuditEntry.id.desc())).first() or 0
        with writing() as session:
            record(session, COMMAND_LINE, "game.created", "another")
        return highest, db.session.scalars(select(AuditEntry.id).order_by(AuditEntry.id.desc())).first() or 0

    highest, new = within(other, add)
    assert new == highest + 1


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_every_row_of_every_table_comes_back_on_either_database(
    app: Flask, kept: Path, other_settings: Callable[[str], Settings], kind: str
) -> None:
    """A filled column, an empty one, and a reference to a row that is inserted later."""
    with writing() as session:
        fill_tables(session.connection(), Base.metadata, "first", everything=True)
        fill_tables(session.connection(), Base.metadata, "second", {"members.role": "viewer", "servers.id": "srv-9"})
    kept.mkdir()
    with one_moment() as connection:
        counts = save_rows(connection, kept)
    assert set(counts.values()) == {2}
    with second(other_settings(kind)) as other:
        within(other, lambda: load_rows(kept, counts))
        assert within(other, all_rows) == all_rows()
        assert within(other, lambda: db.session.scalars(select(Game.id).where(Game.screenshots.is_(None))).all()) == (
            db.session.scalars(select(Game.id).where(Game.screenshots.is_(None))).all()
        )


on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@on_sqlite
def test_only_new_objects_are_copied_again_and_deleted_ones_go(
    app: Flask, cast: Cast, build: Build, kept: Path
) -> None:
    first = make_backup(kept)
    paths = {path: path.stat().st_mtime_ns for path in (kept / "objects").rglob("*") if path.is_file()}
    again = make_backup(kept)
    assert (first.new_objects, again.new_objects) == (4, 0)
    assert {path: path.stat().st_mtime_ns for path in (kept / "objects").rglob("*") if path.is_file()} == paths
    assert [path.name for path in (kept / "snapshots").iterdir()] == [again.manifest.snapshot]

    bucket().delete([final_key(cast.starlight.partner_id, _sha256(IMAGE))])
    assert make_backup(kept).manifest.objects == 3
    assert len([path for path in (kept / "objects").rglob("*") if path.is_file()]) == 3


@on_sqlite
def test_only_the_owner_can_read_a_backup(app: Flask, build: Build, kept: Path) -> None:
    kept.mkdir(mode=0o755)
    make_backup(kept)
    assert mode_of(kept) == 0o700
    (secret,) = kept.rglob("secret_key")
    assert mode_of(secret) == 0o600


@on_sqlite
def test_a_build_that_is_deleted_meanwhile_is_not_in_the_backup(
    app: Flask, build: Build, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row was copied, and its object is gone when its turn comes: the rows are copied once more."""
    turns: list[int] = []

    def after_a_deletion(*arguments: Any) -> Any:
        if not turns:
            _delete_game()
        turns.append(1)
        return object_copy.copy_objects(*arguments)

    monkeypatch.setattr(copies, "copy_objects", after_a_deletion)
    result = make_backup(kept)
    assert len(turns) == 2
    assert result.missing == []
    assert result.manifest.rows["builds"] == 0


def _delete_game() -> None:
    with writing() as session:
        session.execute(update(Game).values(released_build_id=None))
        session.execute(delete(Game))
    bucket().delete(found.key for found in list(bucket().objects("archives/")) + list(bucket().objects("packs/")))


@on_sqlite
def test_an_object_that_was_lost_before_is_named(app: Flask, build: Build, kept: Path) -> None:
    bucket().delete([build.object_key])
    free_connection()
    result = Shell(app).run("backup", str(kept))
    assert result.exit_code == 1
    assert f"missing   {build.object_key}" in result.stdout
    assert "flask check" in result.stderr
    assert BackupFolder(kept).required_manifest().objects == 3


@on_sqlite
def test_a_damaged_backup_is_refused_and_changes_no_row(
    app: Flask, build: Build, kept: Path, other_settings: Callable[[str], Settings]
) -> None:
    make_backup(kept)
    archive = BackupFolder(kept).object_path(build.object_key)
    whole = archive.read_bytes()
    with second(other_settings("sqlite")) as other:
        archive.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        said = Shell(other).refused("restore", str(kept))
        assert f"The backup is damaged: {archive}" in said
        rows = kept / "snapshots" / BackupFolder(kept).required_manifest().snapshot / "games.jsonl.gz"
        archive.write_bytes(whole)
        intact = rows.read_bytes()
        rows.write_bytes(intact[:-9])
        assert f"The backup is damaged: {rows}" in Shell(other).refused("restore", str(kept))
        assert not any(within(other, all_rows).values())

        rows.write_bytes(intact)
        restored = Shell(other).run("restore", str(kept))
        assert restored.exit_code == 0, restored.output
        assert "4 were there already" in restored.stdout
        assert within(other, all_rows) == all_rows()


@on_sqlite
def test_only_an_empty_database_of_this_version_is_restored_into(
    app: Flask, build: Build, kept: Path, other_settings: Callable[[str], Settings]
) -> None:
    with pytest.raises(NotFound, match="no complete backup"):
        restore_backup(kept)
    make_backup(kept)
    assert "The database has rows already" in Shell(app).refused("restore", str(kept))
    manifest = kept / "manifest.json"
    written = json.loads(manifest.read_text())
    with second(other_settings("sqlite")) as other:
        manifest.write_text(json.dumps(written | {"revision": "0001"}))
        assert "Restore it with that version, then upgrade" in Shell(other).refused("restore", str(kept))
        manifest.write_text(json.dumps(written | {"format": 2}))
        assert "another version of Slipway" in Shell(other).refused("restore", str(kept))
        for half in (manifest.read_text()[:50], "[]", json.dumps({"format": 1})):
            manifest.write_text(half)
            assert f"The backup is damaged: {manifest}" in Shell(other).refused("restore", str(kept))


@on_sqlite
def test_a_key_that_leads_out_of_the_folder_is_refused(app: Flask, kept: Path) -> None:
    for key in ("../../etc/shadow", "/etc/shadow", "a/../../b", ""):
        with pytest.raises(Conflict, match="not the key of one"):
            BackupFolder(kept).object_path(key)


@on_sqlite
def test_other_files_are_left_alone_and_one_backup_runs_at_a_time(app: Flask, kept: Path) -> None:
    kept.mkdir()
    (kept / "letters.txt").write_text("dear all")
    with pytest.raises(Conflict, match="holds other files"):
        make_backup(kept)
    (kept / "letters.txt").unlink()
    with BackupFolder(kept).locked(), pytest.raises(Conflict, match="Another backup"):
        make_backup(kept)


@on_sqlite
@pytest.mark.parametrize("name", ["snapshots", "objects", "objects/archives", ".lock", "manifest.json"])
def test_a_folder_with_links_is_refused_and_what_they_lead_to_stays(
    app: Flask, build: Build, kept: Path, tmp_path: Path, name: str
) -> None:
    """A folder that comes from elsewhere: a backup deletes what it does not know in it."""
    foreign = tmp_path / "foreign"
    (foreign / "letters").mkdir(parents=True)
    letter = foreign / "letters" / "dear-all.txt"
    letter.write_text("dear all")
    link = kept / name
    make_backup(kept)
    if link.is_dir():
        shutil.rmtree(link)
    link.unlink(missing_ok=True)
    link.symlink_to(letter if "." in name else foreign, target_is_directory="." not in name)
    for try_it in (make_backup, restore_backup):
        with pytest.raises(Conflict, match=f"{name} is a link or a special file"):
            try_it(kept)
    assert letter.read_text() == "dear all"


@on_sqlite
def test_a_pipe_in_the_place_of_an_object_is_refused(app: Flask, build: Build, kept: Path) -> None:
    make_backup(kept)
    archive = BackupFolder(kept).object_path(build.object_key)
    archive.unlink()
    os.mkfifo(archive)
    with pytest.raises(Conflict, match="is a link or a special file"):
        restore_backup(kept)


@on_sqlite
def test_a_snapshot_outside_of_the_folder_is_refused(app: Flask, cast: Cast, kept: Path) -> None:
    make_backup(kept)
    manifest = kept / "manifest.json"
    for name in ("../../elsewhere", "/etc", "..", ""):
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"snapshot": name}))
        with pytest.raises(Conflict, match="The backup is damaged"):
            restore_backup(kept)


@on_sqlite
def test_every_damage_of_a_file_is_told_before_a_row_is_written(
    app: Flask, cast: Cast, kept: Path, other_settings: Callable[[str], Settings]
) -> None:
    make_backup(kept)
    snapshot = kept / "snapshots" / BackupFolder(kept).required_manifest().snapshot
    with second(other_settings("sqlite")) as other:
        for name, damage in (
            ("secret_key", b""),
            ("secret_key", b"\xff\xff"),
            ("secret_key", None),
            ("members.jsonl.gz", _with_broken_deflate(snapshot / "members.jsonl.gz")),
            ("objects.jsonl.gz", gzip.compress(b'{"key": "archives/a.tar.gz"}\n')),
        ):
            path = snapshot / name
            intact = path.read_bytes()
            path.unlink() if damage is None else path.write_bytes(damage)
            assert f"The backup is damaged: {path}" in Shell(other).refused("restore", str(kept))
            assert not any(within(other, all_rows).values())
            path.write_bytes(intact)
        assert Shell(other).run("restore", str(kept)).exit_code == 0


def _with_broken_deflate(path: Path) -> bytes:
    whole = path.read_bytes()
    header = 10 + whole[10:].index(b"\0") + 1 if whole[3] & 8 else 10  # the name of the file comes first
    return whole[:header] + b"\xff" * 8 + whole[header + 8 :]


@on_sqlite
def test_a_large_object_is_restored_in_parts(
    app: Flask, build: Build, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_backup(kept)
    wanted = next(found for found in _objects(kept) if found.key == build.object_key)
    bucket().delete([wanted.key])
    monkeypatch.setattr(object_copy, "_MAX_SINGLE_PUT", 1000)
    object_copy.restore_object(BackupFolder(kept), wanted)
    assert (bucket().stat(wanted.key) or replace(wanted, size=0)).size == wanted.size


def _objects(kept: Path) -> list[BackedUpObject]:
    folder = BackupFolder(kept)
    return list(folder.backed_up_objects(folder.required_manifest().snapshot))


@on_sqlite
def test_a_secret_of_the_environment_counts_more(
    app: Flask, cast: Cast, kept: Path, other_settings: Callable[[str], Settings]
) -> None:
    make_backup(kept)
    own = other_settings("sqlite").model_copy(update={"secret_key": "another secret, long enough to be one"})
    with second(own) as other:
        restored = Shell(other).run("restore", str(kept))
        assert restored.exit_code == 0
        assert "everybody has to sign in again" in restored.stderr
