"""webhooks out, and invitations

Revision: 0014, after 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table("invitation",
    sa.Column("id", sa.String(length=26), nullable=False),
    sa.Column("token_hash", sa.String(length=64), nullable=False),
    sa.Column("email", sa.String(length=320), nullable=False),
    sa.Column("role", sa.String(length=40), nullable=False),
    sa.Column("needs_approval", sa.Boolean(), nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("created_by", sa.String(length=320), nullable=False),
    sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
    sa.Column("accepted_by", sa.String(length=320), nullable=False),
    sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint("id", name=op.f("pk_invitation")),
    sa.UniqueConstraint("token_hash", name=op.f("uq_invitation_token_hash"))
    )
    op.create_table("webhook_endpoint",
    sa.Column("id", sa.String(length=26), nullable=False),
    sa.Column("name", sa.String(length=80), nullable=False),
    sa.Column("url", sa.Text(), nullable=False),
    sa.Column("secret_encrypted", sa.Text(), nullable=False),
    sa.Column("events", _JSON, nullable=False),
    sa.Column("is_enabled", sa.Boolean(), nullable=False),
    sa.Column("disabled_reason", sa.String(length=300), nullable=False),
    sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
    sa.Column("failures", sa.Integer(), nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("created_by", sa.String(length=320), nullable=False),
    sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
    sa.Column("version", sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoint"))
    )
    op.create_table("webhook_event",
    sa.Column("id", sa.String(length=40), nullable=False),
    sa.Column("type", sa.String(length=40), nullable=False),
    sa.Column("data", _JSON, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_event"))
    )
    op.create_index("ix_webhook_event_created_at", "webhook_event", ["created_at"])

    op.create_table("webhook_delivery",
    sa.Column("id", _BIG_ID, autoincrement=True, nullable=False),
    sa.Column("event_id", sa.String(length=40), nullable=False),
    sa.Column("endpoint_id", sa.String(length=26), nullable=False),
    sa.Column("replay", sa.Integer(), nullable=False),
    sa.Column("job_id", _BIG_ID, nullable=True),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(["endpoint_id"], ["webhook_endpoint.id"], name=op.f("fk_webhook_delivery_endpoint_id_webhook_endpoint"), ondelete="CASCADE"),
    sa.ForeignKeyConstraint(["event_id"], ["webhook_event.id"], name=op.f("fk_webhook_delivery_event_id_webhook_event"), ondelete="CASCADE"),
    sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_delivery")),
    sa.UniqueConstraint("event_id", "endpoint_id", "replay", name="uq_webhook_delivery_once")
    )
    op.create_index("ix_webhook_delivery_endpoint", "webhook_delivery", ["endpoint_id", "id"])
    op.create_index("ix_webhook_delivery_job_id", "webhook_delivery", ["job_id"])


def downgrade() -> None:
    op.drop_table("webhook_delivery")
    op.drop_table("webhook_event")
    op.drop_table("webhook_endpoint")
    op.drop_table("invitation")
