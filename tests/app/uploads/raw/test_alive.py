"""An upload whose client sends next to nothing is alive all the same, and its process says so."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.data.database import writing
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.upload import Upload
from app.maintenance.build_sweep import STALE_UPLOAD_AGE, sweep
from app.uploads.raw import receiver_heartbeat
from tests.app.runtime.processes import wait_until
from tests.conftest import GAME, Cast, bearer
from tests.game_archives import game_archive


def test_the_row_is_touched_while_nothing_comes(
    app: Flask, client: FlaskClient, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver_heartbeat, "HEARTBEAT_SECONDS", 0.05)
    archive = game_archive()
    headers = bearer(cast.starlight.key)
    client.post("/api/partners/games", json=GAME, headers=headers)

    def is_fresh() -> bool:
        db.session.rollback()
        return now() - db.session.scalars(select(Upload.touched_at)).one() < timedelta(minutes=1)

    class Waiting(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            """Comes after what would have been long enough to be taken for dead."""
            if self.tell() == 0:
                with writing() as session:
                    session.execute(update(Upload).values(touched_at=now() - 2 * STALE_UPLOAD_AGE))
                wait_until(is_fresh, 30, "its row is touched")
                assert sweep().uploads == 0
            return super().read(size)

    answer = client.put(
        f"/api/partners/games/{GAME['slug']}/upload",
        input_stream=Waiting(archive),
        content_length=len(archive),
        headers=headers | {"Content-Type": "application/gzip"},
    )
    assert answer.status_code == 200, answer.text
    assert db.session.scalars(select(Upload)).all() == []
