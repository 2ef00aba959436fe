"""Name the members of a consortium with what became of its bid at the opening.

Revision ID: 2026_11_30_0500
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_30_0500"
down_revision = "2026_11_30_0600"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bids that were opened before name nobody beside their bidder."""
    op.get_bind().exec_driver_sql(
        "ALTER TABLE trading.opened_bid ADD COLUMN members JSONB DEFAULT '[]' NOT NULL"
    )


def downgrade() -> None:
    """Take it back; only ever wanted on a test's database."""
    op.get_bind().exec_driver_sql("ALTER TABLE trading.opened_bid DROP COLUMN members")
