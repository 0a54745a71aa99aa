"""Assets, components and revisions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "blobs",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("partner_id", sa.String(length=40), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("object_key", sa.String(length=200), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("mime_type", sa.String(length=40), nullable=False),
        sa.Column("width_px", sa.Integer(), nullable=False),
        sa.Column("height_px", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("held_at", sa.DateTime(), nullable=False),
        sa.Column("holder", sa.String(length=40), nullable=True),
        sa.Column("unused_since", sa.DateTime(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("derivation", sa.String(length=16), nullable=False),
        sa.Column("derive_attempts", sa.Integer(), nullable=False),
        sa.Column("derive_at", sa.DateTime(), nullable=False),
        sa.Column("derive_error", sa.Text(), nullable=True),
        sa.Column("placeholder", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_blobs_partner_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_blobs")),
        sa.UniqueConstraint("object_key", name=op.f("uq_blobs_object_key")),
        sa.UniqueConstraint("partner_id", "sha256", name=op.f("uq_blobs_partner_id_sha256")),
    )
    op.create_index(op.f("ix_blobs_derivation"), "blobs", ["derivation"], unique=False)
    op.create_index(op.f("ix_blobs_unused_since"), "blobs", ["unused_since"], unique=False)
    op.create_table(
        "quota_entries",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("partner_id", sa.String(length=40), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("reason", sa.String(length=24), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("byte_change", sa.BigInteger(), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["partners.id"], name=op.f("fk_quota_entries_partner_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quota_entries")),
    )
    op.create_index("ix_quota_entries_partner_id_id", "quota_entries", ["partner_id", "id"], unique=False)
    op.create_table(
        "assets",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("game_id", sa.String(length=40), nullable=False),
        sa.Column("app_id", sa.String(length=40), nullable=False),
        sa.Column("blob_id", sa.String(length=40), nullable=False),
        sa.Column("file_name", sa.String(length=256), nullable=False),
        sa.Column("sent_by", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.Column("uses_before", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ["app_id"], ["apps.id"], name=op.f("fk_assets_app_id"), initially="DEFERRED", deferrable=True
        ),
        sa.ForeignKeyConstraint(
            ["blob_id"], ["blobs.id"], name=op.f("fk_assets_blob_id"), initially="DEFERRED", deferrable=True
        ),
        sa.ForeignKeyConstraint(["game_id"], ["games.id"], name=op.f("fk_assets_game_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assets")),
    )
    op.create_index(op.f("ix_assets_app_id"), "assets", ["app_id"], unique=False)
    op.create_index(op.f("ix_assets_blob_id"), "assets", ["blob_id"], unique=False)
    op.create_index(op.f("ix_assets_deleted_at"), "assets", ["deleted_at"], unique=False)
    op.create_index("ix_assets_game_id_created_at", "assets", ["game_id", "created_at"], unique=False)
    op.create_index(
        "uq_assets_living_bytes",
        "assets",
        ["game_id", "app_id", "blob_id"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "blob_variants",
        sa.Column("blob_id", sa.String(length=40), nullable=False),
        sa.Column("size", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("object_key", sa.String(length=200), nullable=False),
        sa.Column("byte_size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("width_px", sa.Integer(), nullable=False),
        sa.Column("height_px", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["blob_id"], ["blobs.id"], name=op.f("fk_blob_variants_blob_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("blob_id", "size", name=op.f("pk_blob_variants")),
        sa.UniqueConstraint("object_key", name=op.f("uq_blob_variants_object_key")),
    )
    op.create_table(
        "revisions",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("game_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("finalized_at", sa.DateTime(), nullable=True),
        sa.Column("finalized_by", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(["game_id"], ["games.id"], name=op.f("fk_revisions_game_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revisions")),
        sa.UniqueConstraint("game_id", "number", name=op.f("uq_revisions_game_id_number")),
    )
    op.create_index(
        "uq_revisions_draft",
        "revisions",
        ["game_id"],
        unique=True,
        sqlite_where=sa.text("state = 'draft'"),
        postgresql_where=sa.text("state = 'draft'"),
    )
    op.create_table(
        "staged_assets",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("partner_id", sa.String(length=40), nullable=False),
        sa.Column("game_id", sa.String(length=40), nullable=False),
        sa.Column("app_id", sa.String(length=40), nullable=False),
        sa.Column("object_key", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("byte_size", sa.Integer(), nullable=False),
        sa.Column("content_type", sa.String(length=40), nullable=False),
        sa.Column("file_name", sa.String(length=256), nullable=False),
        sa.Column("reserved_bytes", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_staged_assets_app_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["game_id"], ["games.id"], name=op.f("fk_staged_assets_game_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["partners.id"], name=op.f("fk_staged_assets_partner_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staged_assets")),
        sa.UniqueConstraint("game_id", "app_id", "sha256", name=op.f("uq_staged_assets_game_id_app_id_sha256")),
        sa.UniqueConstraint("object_key", name=op.f("uq_staged_assets_object_key")),
    )
    op.create_index(op.f("ix_staged_assets_app_id"), "staged_assets", ["app_id"], unique=False)
    op.create_index(op.f("ix_staged_assets_expires_at"), "staged_assets", ["expires_at"], unique=False)
    op.create_index(op.f("ix_staged_assets_partner_id"), "staged_assets", ["partner_id"], unique=False)
    op.create_table(
        "components",
        sa.Column("revision_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("family", sa.String(length=16), nullable=False),
        sa.Column("external_key", sa.String(length=256), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("parent_id", sa.String(length=40), nullable=True),
        sa.Column("width_mm", sa.Double(), nullable=True),
        sa.Column("height_mm", sa.Double(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["revision_id", "parent_id"],
            ["components.revision_id", "components.id"],
            name=op.f("fk_components_revision_id_parent_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["revision_id"], ["revisions.id"], name=op.f("fk_components_revision_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("revision_id", "id", name=op.f("pk_components")),
        sa.UniqueConstraint(
            "revision_id", "family", "external_key", name=op.f("uq_components_revision_id_family_external_key")
        ),
    )
    op.create_index("ix_components_revision_id_parent_id", "components", ["revision_id", "parent_id"], unique=False)
    op.create_table(
        "game_pictures",
        sa.Column("game_id", sa.String(length=40), nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("asset_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["assets.id"], name=op.f("fk_game_pictures_asset_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["game_id"], ["games.id"], name=op.f("fk_game_pictures_game_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("game_id", "place", name=op.f("pk_game_pictures")),
    )
    op.create_index(op.f("ix_game_pictures_asset_id"), "game_pictures", ["asset_id"], unique=False)
    op.create_table(
        "component_faces",
        sa.Column("revision_id", sa.String(length=40), nullable=False),
        sa.Column("component_id", sa.String(length=40), nullable=False),
        sa.Column("side_key", sa.String(length=64), nullable=False),
        sa.Column("asset_id", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["assets.id"], name=op.f("fk_component_faces_asset_id"), initially="DEFERRED", deferrable=True
        ),
        sa.ForeignKeyConstraint(
            ["revision_id", "component_id"],
            ["components.revision_id", "components.id"],
            name=op.f("fk_component_faces_revision_id_component_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("revision_id", "component_id", "side_key", name=op.f("pk_component_faces")),
    )
    op.create_index(op.f("ix_component_faces_asset_id"), "component_faces", ["asset_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_component_faces_asset_id"), table_name="component_faces")
    op.drop_table("component_faces")
    op.drop_index(op.f("ix_game_pictures_asset_id"), table_name="game_pictures")
    op.drop_table("game_pictures")
    op.drop_index("ix_components_revision_id_parent_id", table_name="components")
    op.drop_table("components")
    op.drop_index(op.f("ix_staged_assets_partner_id"), table_name="staged_assets")
    op.drop_index(op.f("ix_staged_assets_expires_at"), table_name="staged_assets")
    op.drop_index(op.f("ix_staged_assets_app_id"), table_name="staged_assets")
    op.drop_table("staged_assets")
    op.drop_index(
        "uq_revisions_draft",
        table_name="revisions",
        sqlite_where=sa.text("state = 'draft'"),
        postgresql_where=sa.text("state = 'draft'"),
    )
    op.drop_table("revisions")
    op.drop_table("blob_variants")
    op.drop_index(
        "uq_assets_living_bytes",
        table_name="assets",
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.drop_index("ix_assets_game_id_created_at", table_name="assets")
    op.drop_index(op.f("ix_assets_deleted_at"), table_name="assets")
    op.drop_index(op.f("ix_assets_blob_id"), table_name="assets")
    op.drop_index(op.f("ix_assets_app_id"), table_name="assets")
    op.drop_table("assets")
    op.drop_index("ix_quota_entries_partner_id_id", table_name="quota_entries")
    op.drop_table("quota_entries")
    op.drop_index(op.f("ix_blobs_unused_since"), table_name="blobs")
    op.drop_index(op.f("ix_blobs_derivation"), table_name="blobs")
    op.drop_table("blobs")
