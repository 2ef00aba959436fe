"""Keep which files of its response a supplier handed in anew in talks.

Revision ID: 2026_11_30_0710
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_30_0710"
down_revision = "2026_11_30_1350"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Answers that were signed before brought no file."""
    op.get_bind().exec_driver_sql(
        "ALTER TABLE trading.talk_answer ADD COLUMN files JSONB DEFAULT '[]' NOT NULL"
    )


def downgrade() -> None:
    """Take it back; only ever wanted on a test's database."""
    op.get_bind().exec_driver_sql("ALTER TABLE trading.talk_answer DROP COLUMN files")
