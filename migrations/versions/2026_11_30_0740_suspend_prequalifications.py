"""Say since when a lot stands still, and repeat until when applications are taken.

Revision ID: 2026_11_30_0740
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_30_0740"
down_revision = "2026_11_30_0720"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE trading.lot ADD COLUMN suspended_at TIMESTAMP WITH TIME ZONE",
    "ALTER TABLE trading.lot ADD COLUMN applications_due_at TIMESTAMP WITH TIME ZONE",
    # Since when a lot stood still before this was kept is not known, and asked of drafts alone,
    # which had no brake then.
    """
UPDATE trading.lot l SET applications_due_at = coalesce(
  (SELECT a.applications_due_at FROM trading.prequalification_addendum a
   WHERE a.lot_id = p.lot_id AND a.round = p.round ORDER BY a.number DESC LIMIT 1),
  p.applications_due_at)
FROM trading.prequalification p
WHERE p.lot_id = l.id
  AND p.round = (SELECT max(n.round) FROM trading.prequalification n WHERE n.lot_id = l.id)
    """,
)


def upgrade() -> None:
    """Add the columns, and fill what is known."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """Take them back; only ever wanted on a test's database."""
    connection = op.get_bind()
    connection.exec_driver_sql("ALTER TABLE trading.lot DROP COLUMN applications_due_at")
    connection.exec_driver_sql("ALTER TABLE trading.lot DROP COLUMN suspended_at")
