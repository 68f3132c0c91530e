"""jobs whose workers died twice are found at once: they are claimed one at a time

Revision: 0018, after 0017
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_SUSPECT = sa.text("crashes >= 2")


def upgrade() -> None:
    op.create_index(
        "ix_job_suspect", "job", ["state", "due_at"], postgresql_where=_SUSPECT, sqlite_where=_SUSPECT
    )


def downgrade() -> None:
    op.drop_index("ix_job_suspect", table_name="job")
