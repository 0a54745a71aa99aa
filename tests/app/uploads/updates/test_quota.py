"""An update reserves room for its archive from the beginning, and exactly what it takes in the end."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select

from app.accounts.build_quota import BuildQuota, build_quota
from app.data.extensions import db
from app.data.models.partner import Partner
from tests.app.api.calling import refused
from tests.app.uploads.resumable.databases import one_database
from tests.app.uploads.resumable.rows import builds, is_clean, set_quota
from tests.app.uploads.resumable.sending import Sender
from tests.app.uploads.updates.packed_bases import PackedBase
from tests.slipway.packs.trees import noise


def quota() -> BuildQuota:
    db.session.rollback()
    partner = db.session.scalars(select(Partner).where(Partner.name == "Starlight Studio")).one()
    return build_quota(db.session(), partner)


def test_the_size_of_the_base_is_reserved_beside_the_file(app: Flask, sender: Sender, base: PackedBase) -> None:
    file = base.update_file(script=b"label start:\n")
    upload = sender.begun(file, base=1)
    assert quota().reserved == len(file) + builds()[0].size
    assert sender.cancel(upload["id"]).status_code == 204
    assert quota().reserved == 0


def test_an_update_whose_archive_has_no_room_is_refused_before_it_is_sent(
    app: Flask, sender: Sender, base: PackedBase
) -> None:
    file = base.update_file(script=b"label start:\n")
    set_quota(quota().used + builds()[0].size)
    refused(sender.begin(file, base=1), 413, "quota_exceeded")


def test_the_archive_counts_while_it_is_written(app: Flask, sender: Sender, base: PackedBase) -> None:
    """It turns out to be larger than its base, and larger than the quota."""
    content = noise(200_000)
    file = base.update_file(one=content, two=content)  # one chunk, which is twice in the archive
    set_quota(quota().used + builds()[0].size + len(file) + 1000)
    state = sender.published(file, base=1)
    assert (state["phase"], state["error"]) == ("failed", "quota_exceeded")
    assert is_clean()
    assert quota().reserved == 0


def test_in_the_end_the_build_counts_and_nothing_else(app: Flask, sender: Sender, base: PackedBase) -> None:
    before = quota().used
    sender.published(base.update_file(script=b"label start:\n"), base=1)
    assert (quota().used, quota().reserved) == (before + builds()[1].size, 0)


@one_database
@pytest.mark.settings(MAX_ARCHIVE_BYTES="400K")
def test_the_archive_may_not_be_larger_than_an_archive(app: Flask, sender: Sender, base: PackedBase) -> None:
    """Although the file is small: a chunk may be used many times."""
    content = noise(200_000)
    file = base.update_file(one=content, two=content, three=content)
    assert len(file) < 400 * 1024
    state = sender.published(file, base=1)
    assert (state["phase"], state["error"]) == ("failed", "payload_too_large")
    assert "MAX_ARCHIVE_BYTES" in state["reason"]
    assert is_clean()
