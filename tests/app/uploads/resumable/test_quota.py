"""A partner's quota of build bytes, held from before the first byte until the build takes its place."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from flask import Flask
from sqlalchemy import select

from app.accounts.build_quota import BuildQuota, build_quota
from app.data.extensions import db
from app.data.models.partner import Partner
from app.data.models.upload import Upload
from app.maintenance.build_sweep import sweep
from tests.app.api.calling import body, refused
from tests.app.uploads.resumable.rows import A_WEEK, age, is_clean, set_quota, transfers
from tests.app.uploads.resumable.sending import UPLOADS, Sender
from tests.conftest import Cast
from tests.game_archives import game_archive


def quota() -> BuildQuota:
    db.session.rollback()
    partner = db.session.scalars(select(Partner).where(Partner.name == "Starlight Studio")).one()
    return build_quota(db.session(), partner)


def test_an_archive_over_the_quota_is_refused_before_its_first_byte(app: Flask, sender: Sender) -> None:
    set_quota(1000)
    answer = sender.ask("POST", UPLOADS, json={"fileName": "a.tar.gz", "size": 1001})
    assert "1,000 B" in refused(answer, 413, "quota_exceeded")
    assert db.session.scalars(select(Upload)).all() == []
    assert transfers() == []


def test_the_quota_is_reserved_for_the_life_of_the_upload(app: Flask, sender: Sender) -> None:
    archive = game_archive()
    set_quota(2 * len(archive) - 1)
    upload = sender.begun(archive)
    assert quota().reserved == len(archive)
    refused(sender.begin(archive), 413, "quota_exceeded")

    assert sender.cancel(upload["id"]).status_code == 204
    assert quota().reserved == 0
    assert sender.published(archive)["phase"] == "done"
    assert (quota().used, quota().reserved) == (len(archive), 0)
    refused(sender.begin(archive), 413, "quota_exceeded")


def test_an_expired_upload_gives_its_place_back(app: Flask, sender: Sender) -> None:
    archive = game_archive()
    set_quota(len(archive))
    age(sender.begun(archive)["id"], A_WEEK)
    refused(sender.begin(archive), 413, "quota_exceeded")
    sweep()
    assert sender.published(archive)["phase"] == "done"


def test_of_many_at_once_only_as_many_as_fit_begin(app: Flask, sender: Sender, cast: Cast) -> None:
    set_quota(3 * 1000 + 999)

    def begin(_: int) -> int:
        script = Sender(app.test_client(), cast.starlight.key)
        return script.ask("POST", UPLOADS, json={"fileName": "a.tar.gz", "size": 1000}).status_code

    with ThreadPoolExecutor(8) as pool:
        answers = sorted(pool.map(begin, range(8)))

    assert answers == [201] * 3 + [413] * 5
    assert quota().reserved == 3000
    for upload in body(sender.uploads())["uploads"]:
        assert sender.cancel(upload["id"]).status_code == 204
    assert quota().reserved == 0
    assert is_clean()
