"""Keep whether an objection on the spot stands.

Revision ID: 2026_11_30_1815
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_30_1815"
down_revision = "2026_11_30_1745"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the word, which answers of former days did not say."""
    op.get_bind().exec_driver_sql(
        "ALTER TABLE trading.opening_objection ADD COLUMN outcome VARCHAR"
    )


def downgrade() -> None:
    """Take it back; only ever wanted on a test's database."""
    op.get_bind().exec_driver_sql("ALTER TABLE trading.opening_objection DROP COLUMN outcome")
