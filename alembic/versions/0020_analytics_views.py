"""analytics: posts and sums by label, links that share a view, reports by mail, thinned-out snapshots

Revision: 0020, after 0019
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_SUMS = ("posts", "measured", "engagements", "likes", "reposts", "replies", "views", "views_measured")
_SMALL = ("posts", "measured", "views_measured")
_OF_POSTS = (
    "COUNT(*), COUNT(m.engagements), COALESCE(SUM(m.engagements), 0), COALESCE(SUM(m.likes), 0),"
    " COALESCE(SUM(m.reposts), 0), COALESCE(SUM(m.replies), 0), COALESCE(SUM(m.views), 0), COUNT(m.views)"
)


def upgrade() -> None:
    op.create_table(
        "post_label",
        sa.Column("label", sa.String(40), nullable=False),
        sa.Column("post_id", sa.String(26), nullable=False),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_post_label_post_id_post"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("label", "post_id", name=op.f("pk_post_label")),
    )
    op.create_index(op.f("ix_post_label_post_id"), "post_label", ["post_id"])
    op.create_table(
        "metric_label",
        sa.Column("label", sa.String(40), nullable=False),
        sa.Column("account_id", sa.String(26), nullable=False),
        sa.Column("author_id", sa.String(26), nullable=False),
        sa.Column("bucket", sa.Integer(), autoincrement=False, nullable=False),
        *[
            sa.Column(name, sa.Integer() if name in _SMALL else sa.BigInteger(), nullable=False)
            for name in _SUMS
        ],
        sa.PrimaryKeyConstraint("label", "account_id", "author_id", "bucket", name=op.f("pk_metric_label")),
    )
    op.create_index("ix_metric_label_bucket", "metric_label", ["bucket", "label"])
    op.create_index("ix_metric_label_author", "metric_label", ["label", "author_id", "bucket"])
    op.create_index("ix_metric_label_account", "metric_label", ["account_id", "author_id", "bucket"])
    op.create_table(
        "analytics_share",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("owner_id", sa.String(26), nullable=False),
        sa.Column("title", sa.String(120), nullable=False),
        sa.Column("view", _JSON, nullable=False),
        sa.Column("timezone", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opened", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["app_user.id"], name=op.f("fk_analytics_share_owner_id_app_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_analytics_share")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_analytics_share_token_hash")),
    )
    op.create_index(op.f("ix_analytics_share_owner_id"), "analytics_share", ["owner_id"])
    op.create_table(
        "analytics_report",
        sa.Column("user_id", sa.String(26), nullable=False),
        sa.Column("cadence", sa.String(40), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["app_user.id"], name=op.f("fk_analytics_report_user_id_app_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_analytics_report")),
    )
    op.create_index(op.f("ix_analytics_report_next_at"), "analytics_report", ["next_at"])
    op.add_column("metric_post", sa.Column("pruned_at", sa.DateTime(timezone=True), nullable=True))
    unpruned = sa.text("pruned_at IS NULL")
    op.create_index(
        "ix_metric_post_unpruned",
        "metric_post",
        ["published_at"],
        postgresql_where=unpruned,
        sqlite_where=unpruned,
    )
    _fill()


def _fill() -> None:
    """The labels that posts carry already, and their sums."""
    is_postgres = op.get_bind().dialect.name == "postgresql"
    each = (
        "jsonb_array_elements_text(post.labels) AS each(value)"
        if is_postgres
        else "json_each(post.labels) AS each"
    )
    op.execute(
        f"INSERT INTO post_label (label, post_id) SELECT DISTINCT substr(each.value, 1, 40), post.id FROM post, {each}"
    )
    columns = ", ".join(_SUMS)
    for account in ("m.account_id", "''"):
        for author in ("m.author_id", "''"):
            keys = ", ".join(["l.label", *(name for name in (account, author) if name != "''"), "m.bucket"])
            op.execute(
                f"INSERT INTO metric_label (label, account_id, author_id, bucket, {columns})"
                f" SELECT l.label, {account}, {author}, m.bucket, {_OF_POSTS}"
                f" FROM metric_post m JOIN post_label l ON l.post_id = m.post_id GROUP BY {keys}"
            )


def downgrade() -> None:
    op.drop_index("ix_metric_post_unpruned", table_name="metric_post")
    with op.batch_alter_table("metric_post") as batch:
        batch.drop_column("pruned_at")
    for name in ("analytics_report", "analytics_share", "metric_label", "post_label"):
        op.drop_table(name)
