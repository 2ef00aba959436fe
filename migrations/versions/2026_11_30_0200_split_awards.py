"""Split awards from evaluations: how the winner is chosen, and the minutes of the choice.

Revision ID: 2026_11_30_0200
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_30_0200"
down_revision = "2026_11_29_2358"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE trading.lot ADD COLUMN award_method JSONB",
    "ALTER TABLE trading.award ADD COLUMN minutes JSONB",
)


def upgrade() -> None:
    """Add both columns."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """Take them away again; only ever wanted on a test's database."""
    connection = op.get_bind()
    connection.exec_driver_sql("ALTER TABLE trading.award DROP COLUMN minutes")
    connection.exec_driver_sql("ALTER TABLE trading.lot DROP COLUMN award_method")
