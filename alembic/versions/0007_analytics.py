"""numbers of published posts over time, and their rollup

Revision: 0007, after 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "metric_snapshot",
        sa.Column(
            "job_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("likes", sa.BigInteger(), nullable=True),
        sa.Column("reposts", sa.BigInteger(), nullable=True),
        sa.Column("replies", sa.BigInteger(), nullable=True),
        sa.Column("views", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("job_id", "slot", name=op.f("pk_metric_snapshot")),
    )
    op.create_table(
        "follower_day",
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("followers", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name=op.f("fk_follower_day_account_id_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "day", name=op.f("pk_follower_day")),
    )
    op.create_table(
        "metric_channel",
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("refreshed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name=op.f("fk_metric_channel_account_id_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_metric_channel")),
    )
    op.create_table(
        "metric_post",
        sa.Column(
            "job_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("post_id", sa.String(length=26), nullable=False),
        sa.Column("author_id", sa.String(length=26), nullable=False),
        sa.Column("remote_id", sa.String(length=400), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("bucket", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("likes", sa.BigInteger(), nullable=True),
        sa.Column("reposts", sa.BigInteger(), nullable=True),
        sa.Column("replies", sa.BigInteger(), nullable=True),
        sa.Column("views", sa.BigInteger(), nullable=True),
        sa.Column("engagements", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_metric_post_account_id_account"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["post_id"], ["post.id"], name=op.f("fk_metric_post_post_id_post"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_metric_post")),
    )
    op.create_index("ix_metric_post_bucket", "metric_post", ["bucket", "account_id"], unique=False)
    op.create_index("ix_metric_post_due", "metric_post", ["next_at", "account_id"], unique=False)
    op.create_index("ix_metric_post_ended", "metric_post", ["ended_at"], unique=False)
    op.create_index("ix_metric_post_engagements", "metric_post", ["engagements", "job_id"], unique=False)
    op.create_index(op.f("ix_metric_post_post_id"), "metric_post", ["post_id"], unique=False)
    op.create_table(
        "metric_rollup",
        sa.Column("bucket", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("author_id", sa.String(length=26), nullable=False),
        sa.Column("posts", sa.Integer(), nullable=False),
        sa.Column("measured", sa.Integer(), nullable=False),
        sa.Column("engagements", sa.BigInteger(), nullable=False),
        sa.Column("likes", sa.BigInteger(), nullable=False),
        sa.Column("reposts", sa.BigInteger(), nullable=False),
        sa.Column("replies", sa.BigInteger(), nullable=False),
        sa.Column("views", sa.BigInteger(), nullable=False),
        sa.Column("views_measured", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name=op.f("fk_metric_rollup_account_id_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("bucket", "account_id", "author_id", name=op.f("pk_metric_rollup")),
    )
    op.create_index(
        "ix_job_published",
        "job",
        ["ended_at"],
        unique=False,
        postgresql_where=sa.text("state = 'published'"),
        sqlite_where=sa.text("state = 'published'"),
    )


def downgrade() -> None:
    op.drop_index(
        "ix_job_published",
        table_name="job",
        postgresql_where=sa.text("state = 'published'"),
        sqlite_where=sa.text("state = 'published'"),
    )
    op.drop_table("metric_rollup")
    op.drop_index(op.f("ix_metric_post_post_id"), table_name="metric_post")
    op.drop_index("ix_metric_post_engagements", table_name="metric_post")
    op.drop_index("ix_metric_post_ended", table_name="metric_post")
    op.drop_index("ix_metric_post_due", table_name="metric_post")
    op.drop_index("ix_metric_post_bucket", table_name="metric_post")
    op.drop_table("metric_post")
    op.drop_table("metric_channel")
    op.drop_table("follower_day")
    op.drop_table("metric_snapshot")
