"""Keep the industry of a project, with which its codes begin.

Revision ID: 2026_11_30_1510
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_30_1510"
down_revision = "2026_11_30_1500"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Every project so far is of the list's other, as its codes say."""
    connection = op.get_bind()
    connection.exec_driver_sql(
        "ALTER TABLE trading.project ADD COLUMN industry VARCHAR NOT NULL DEFAULT 'A99'"
    )
    connection.exec_driver_sql("ALTER TABLE trading.project ALTER COLUMN industry DROP DEFAULT")


def downgrade() -> None:
    """Take it back; only ever wanted on a test's database."""
    op.get_bind().exec_driver_sql("ALTER TABLE trading.project DROP COLUMN industry")
