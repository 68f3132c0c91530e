"""notifications and the writing assistant

Revision: 0011, after 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_UNREAD = sa.text("read_at IS NULL")
_UNTOLD = sa.text("told_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "notification",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("group_key", sa.String(length=160), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("href", sa.String(length=300), nullable=False),
        sa.Column("is_in_app", sa.Boolean(), nullable=False),
        sa.Column("is_mailed", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["app_user.id"], name=op.f("fk_notification_user_id_app_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification")),
        sa.UniqueConstraint("user_id", "key", name="uq_notification_user_key"),
    )
    op.create_index("ix_notification_inbox", "notification", ["user_id", "created_at", "id"])
    op.create_index(
        "ix_notification_unread",
        "notification",
        ["user_id"],
        postgresql_where=_UNREAD,
        sqlite_where=_UNREAD,
    )
    op.create_table(
        "notification_preference",
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("in_app", sa.Boolean(), nullable=False),
        sa.Column("email", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["app_user.id"],
            name=op.f("fk_notification_preference_user_id_app_user"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_id", "kind", name=op.f("pk_notification_preference")),
    )
    op.create_table(
        "assistant_setup",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("brand_voice", sa.Text(), nullable=False),
        sa.Column("daily_tokens_per_person", sa.Integer(), nullable=False),
        sa.Column("daily_tokens_of_bots", sa.Integer(), nullable=False),
        sa.Column("input_usd_per_million", sa.Float(), nullable=False),
        sa.Column("output_usd_per_million", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.String(length=320), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assistant_setup")),
    )
    op.create_table(
        "assistant_use",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.String(length=26), nullable=True),
        sa.Column("task", sa.String(length=30), nullable=False),
        sa.Column("model", sa.String(length=80), nullable=False),
        sa.Column("is_offline", sa.Boolean(), nullable=False),
        sa.Column("outcome", sa.String(length=30), nullable=False),
        sa.Column("input_tokens", sa.Integer(), nullable=False),
        sa.Column("output_tokens", sa.Integer(), nullable=False),
        sa.Column("reserved_tokens", sa.Integer(), nullable=False),
        sa.Column("cost_micro_usd", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("took_ms", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["app_user.id"], name=op.f("fk_assistant_use_user_id_app_user"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assistant_use")),
    )
    op.create_index("ix_assistant_use_at", "assistant_use", ["at"])
    op.create_index("ix_assistant_use_person", "assistant_use", ["user_id", "at"])
    op.add_column("failed_task", sa.Column("told_at", sa.DateTime(timezone=True), nullable=True))
    # What failed before there were notifications is old news.
    op.execute("UPDATE failed_task SET told_at = created_at")
    op.create_index(
        "ix_failed_task_untold", "failed_task", ["id"], postgresql_where=_UNTOLD, sqlite_where=_UNTOLD
    )


def downgrade() -> None:
    op.drop_index("ix_failed_task_untold", table_name="failed_task")
    op.drop_column("failed_task", "told_at")
    op.drop_index("ix_assistant_use_person", table_name="assistant_use")
    op.drop_index("ix_assistant_use_at", table_name="assistant_use")
    op.drop_table("assistant_use")
    op.drop_table("assistant_setup")
    op.drop_table("notification_preference")
    op.drop_index("ix_notification_unread", table_name="notification")
    op.drop_index("ix_notification_inbox", table_name="notification")
    op.drop_table("notification")
