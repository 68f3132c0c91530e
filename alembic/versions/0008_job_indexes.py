"""indexes for the reconciler's looks at jobs without a hint and at resends that end

Revision: 0008, after 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_UNHINTED = sa.text("state = 'pending_queue'")
_RESEND = sa.text("resend_until IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_job_unhinted", "job", ["due_at", "id"], postgresql_where=_UNHINTED, sqlite_where=_UNHINTED
    )
    op.create_index("ix_job_resend", "job", ["resend_until"], postgresql_where=_RESEND, sqlite_where=_RESEND)


def downgrade() -> None:
    op.drop_index("ix_job_resend", table_name="job")
    op.drop_index("ix_job_unhinted", table_name="job")
