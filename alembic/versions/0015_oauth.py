"""the operator's apps at networks, and attempts to connect by OAuth

Revision: 0015, after 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "oauth_app",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("platform", sa.String(length=40), nullable=False),
        sa.Column("server_url", sa.String(length=255), nullable=False),
        sa.Column("client_id", sa.String(length=255), nullable=False),
        sa.Column("client_secret_encrypted", sa.Text(), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_oauth_app"),
        sa.UniqueConstraint("platform", "server_url", name="uq_oauth_app_platform"),
    )
    op.create_table(
        "oauth_attempt",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("state_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("session_id", sa.String(length=26), nullable=False),
        sa.Column("platform", sa.String(length=40), nullable=False),
        sa.Column("server_url", sa.String(length=255), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("verifier_encrypted", sa.Text(), nullable=False),
        sa.Column("values", _JSON, nullable=False),
        sa.Column("is_shared", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("granted", _JSON, nullable=False),
        sa.Column("account_id", sa.String(length=26), nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["app_user.id"], name="fk_oauth_attempt_user_id_app_user", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_oauth_attempt"),
        sa.UniqueConstraint("state_hash", name="uq_oauth_attempt_state_hash"),
    )
    op.create_index("ix_oauth_attempt_user_id", "oauth_attempt", ["user_id"])
    op.create_index("ix_oauth_attempt_created_at", "oauth_attempt", ["created_at"])


def downgrade() -> None:
    op.drop_table("oauth_attempt")
    op.drop_table("oauth_app")
