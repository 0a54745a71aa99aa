"""The queues of an app, in one SQLite file."""

from __future__ import annotations

import pytest
from flask import Flask
from huey.storage import SqliteStorage

from app.config.settings import Settings
from app.runtime.jobs import Jobs
from tests.app.web.conftest import ONE_DATABASE


@ONE_DATABASE
def test_one_queue_creates_the_tables_of_all(app: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    (settings.instance / "queue.db").unlink()
    created: list[str] = []
    create = SqliteStorage.initialize_schema

    def counted(storage: SqliteStorage) -> None:
        created.append(storage.name)
        create(storage)

    monkeypatch.setattr(SqliteStorage, "initialize_schema", counted)
    jobs = Jobs(app, settings)
    assert created == ["slipway"]
    jobs.enqueue("check_upload", "upload_1")
    jobs.enqueue("derive_image", "blob_1")
    jobs.enqueue("make_packs", "build_1")
    assert [len(queue) for queue in (jobs.checks, jobs.images, jobs.packs)] == [1, 1, 1]
