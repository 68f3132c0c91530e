"""channel health: one renewal of a login at a time, warnings, quotas, checks before the due time

Revision: 0010, after 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")


def upgrade() -> None:
    with op.batch_alter_table("account") as batch:
        batch.add_column(sa.Column("renewal_owner", sa.String(length=26), nullable=True))
        batch.add_column(sa.Column("renewal_until", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "token_warning",
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("days", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name=op.f("fk_token_warning_account_id_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "expires_at", "days", name=op.f("pk_token_warning")),
    )
    op.create_table(
        "quota",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("scope", sa.String(length=300), nullable=False),
        sa.Column("account_id", sa.String(length=26), nullable=True),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("allowed", sa.Integer(), nullable=True),
        sa.Column("left", sa.Integer(), nullable=False),
        sa.Column("resets_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("window_seconds", sa.Float(), nullable=True),
        sa.Column("learned_from", sa.String(length=120), nullable=False),
        sa.Column("is_gate", sa.Boolean(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_quota_account_id_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quota")),
        sa.UniqueConstraint("scope", "name", name="uq_quota_scope_name"),
    )
    op.create_index("ix_quota_account", "quota", ["account_id"])
    op.create_table(
        "post_check",
        sa.Column("post_id", sa.String(length=26), nullable=False),
        sa.Column("scheduled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("level", sa.String(length=10), nullable=False),
        sa.Column("items", _JSON, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["post_id"], ["post.id"], name=op.f("fk_post_check_post_id_post"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("post_id", name=op.f("pk_post_check")),
    )


def downgrade() -> None:
    op.drop_table("post_check")
    op.drop_table("quota")
    op.drop_table("token_warning")
    with op.batch_alter_table("account") as batch:
        batch.drop_column("renewal_until")
        batch.drop_column("renewal_owner")
