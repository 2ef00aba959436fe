"""Remember of what people were reminded, and at which stage.

Revision ID: 2026_11_30_0610
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_30_0610"
down_revision = "2026_11_30_0500"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
CREATE TABLE trading.reminder (
    subject_id UUID NOT NULL,
    kind VARCHAR NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ahead_s INTEGER NOT NULL,
    lot_id UUID NOT NULL,
    reminded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_reminder PRIMARY KEY (subject_id, kind, due_at, ahead_s),
    CONSTRAINT fk_reminder_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id)
)
    """,
    "CREATE INDEX ix_reminder_lot_id ON trading.reminder (lot_id)",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.reminder"
    " FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.reminder"
    " FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.reminder TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.reminder TO sunbid_app",
)


def upgrade() -> None:
    """Make the table."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """Take it back; only ever wanted on a test's database."""
    op.get_bind().exec_driver_sql("DROP TABLE trading.reminder")
