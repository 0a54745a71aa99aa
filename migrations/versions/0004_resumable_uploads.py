"""Resumable uploads, notes of builds, how many builds a game keeps; a release outlives its build."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_UPLOAD_COLUMNS = (
    "door",
    "sent_from",
    "file_name",
    "size",
    "part_size",
    "announced_sha256",
    "note",
    "release",
    "expires_at",
    "checker",
    "checks_begun",
    "bytes_read",
    "files_read",
    "reason_code",
    "reason",
    "build_number",
    "released",
)


def upgrade() -> None:
    with op.batch_alter_table("uploads") as uploads:
        uploads.add_column(sa.Column("door", sa.String(length=16), nullable=False, server_default="raw"))
        uploads.add_column(sa.Column("sent_from", sa.String(length=64), nullable=True))
        uploads.add_column(sa.Column("file_name", sa.String(length=255), nullable=True))
        uploads.add_column(sa.Column("size", sa.BigInteger(), nullable=False, server_default="0"))
        uploads.add_column(sa.Column("part_size", sa.BigInteger(), nullable=False, server_default="0"))
        uploads.add_column(sa.Column("announced_sha256", sa.String(length=64), nullable=True))
        uploads.add_column(sa.Column("note", sa.Text(), nullable=True))
        uploads.add_column(sa.Column("release", sa.Boolean(), nullable=True))
        uploads.add_column(sa.Column("expires_at", sa.DateTime(), nullable=True))
        uploads.add_column(sa.Column("checker", sa.String(length=40), nullable=True))
        uploads.add_column(sa.Column("checks_begun", sa.Integer(), nullable=False, server_default="0"))
        uploads.add_column(sa.Column("bytes_read", sa.BigInteger(), nullable=False, server_default="0"))
        uploads.add_column(sa.Column("files_read", sa.Integer(), nullable=False, server_default="0"))
        uploads.add_column(sa.Column("reason_code", sa.String(length=40), nullable=True))
        uploads.add_column(sa.Column("reason", sa.Text(), nullable=True))
        uploads.add_column(sa.Column("build_number", sa.Integer(), nullable=True))
        uploads.add_column(sa.Column("released", sa.Boolean(), nullable=True))
        uploads.create_index("ix_uploads_expires_at", ["expires_at"])
    with op.batch_alter_table("builds") as builds:
        builds.add_column(sa.Column("note", sa.Text(), nullable=True))
    with op.batch_alter_table("games") as games:
        games.add_column(sa.Column("keep_builds", sa.Integer(), nullable=True))
    with op.batch_alter_table("releases") as releases:
        releases.add_column(sa.Column("build_number", sa.Integer(), nullable=True))
    op.execute("UPDATE releases SET build_number = (SELECT number FROM builds WHERE builds.id = releases.build_id)")
    with op.batch_alter_table("releases") as releases:
        releases.alter_column("build_number", existing_type=sa.Integer(), nullable=False)
        releases.alter_column("build_id", existing_type=sa.String(length=40), nullable=True)
        releases.drop_constraint("fk_releases_build_id", type_="foreignkey")
        releases.create_foreign_key("fk_releases_build_id", "builds", ["build_id"], ["id"], ondelete="SET NULL")


def downgrade() -> None:
    # Without its build a release could not be kept before; an upload of this kind could not be finished.
    op.execute("DELETE FROM releases WHERE build_id IS NULL")
    op.execute("DELETE FROM uploads WHERE door <> 'raw'")
    with op.batch_alter_table("releases") as releases:
        releases.drop_constraint("fk_releases_build_id", type_="foreignkey")
        releases.create_foreign_key("fk_releases_build_id", "builds", ["build_id"], ["id"], ondelete="CASCADE")
        releases.alter_column("build_id", existing_type=sa.String(length=40), nullable=False)
        releases.drop_column("build_number")
    with op.batch_alter_table("games") as games:
        games.drop_column("keep_builds")
    with op.batch_alter_table("builds") as builds:
        builds.drop_column("note")
    with op.batch_alter_table("uploads") as uploads:
        uploads.drop_index("ix_uploads_expires_at")
        for column in reversed(_UPLOAD_COLUMNS):
            uploads.drop_column(column)
