"""the conversation about posts that need approval, first comments, saved texts, tags of links, videos and crops

Revision: 0012, after 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_EMPTY = sa.text("''")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "snippet",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("owner_id", sa.String(length=26), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("is_shared", sa.Boolean(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["app_user.id"], name=op.f("fk_snippet_owner_id_app_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_snippet")),
    )
    op.create_index(op.f("ix_snippet_owner_id"), "snippet", ["owner_id"])
    op.create_table(
        "link_tags",
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("source", sa.String(length=80), nullable=False),
        sa.Column("medium", sa.String(length=80), nullable=False),
        sa.Column("campaign", sa.String(length=80), nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_link_tags_account_id_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_link_tags")),
    )
    op.create_table(
        "post_review",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("post_id", sa.String(length=26), nullable=False),
        sa.Column("author_id", sa.String(length=26), nullable=True),
        sa.Column("author_name", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["author_id"], ["app_user.id"], name=op.f("fk_post_review_author_id_app_user"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["post_id"], ["post.id"], name=op.f("fk_post_review_post_id_post"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_post_review")),
    )
    op.create_index("ix_post_review_post", "post_review", ["post_id", "created_at", "id"])
    # Plain ALTERs: a table that SQLite copies loses its triggers, and posts have one for the search.
    op.add_column("media", sa.Column("duration_seconds", sa.Float(), server_default=sa.text("0"), nullable=False))
    op.add_column("media", sa.Column("source_id", sa.String(length=26), nullable=True))
    op.add_column("post", sa.Column("first_comment", sa.Text(), server_default=_EMPTY, nullable=False))
    op.add_column("post", sa.Column("review_state", sa.String(length=20), server_default=_EMPTY, nullable=False))


def downgrade() -> None:
    op.drop_column("post", "review_state")
    op.drop_column("post", "first_comment")
    op.drop_column("media", "source_id")
    op.drop_column("media", "duration_seconds")
    op.drop_index("ix_post_review_post", table_name="post_review")
    op.drop_table("post_review")
    op.drop_table("link_tags")
    op.drop_index(op.f("ix_snippet_owner_id"), table_name="snippet")
    op.drop_table("snippet")
