"""Remember which papers of guarantees were sent and not filed yet.

Revision ID: 2026_11_30_0620
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_30_0620"
down_revision = "2026_11_30_0510"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
CREATE TABLE trading.guarantee_file (
    lot_id UUID NOT NULL,
    bidder_id UUID NOT NULL,
    digest BYTEA NOT NULL,
    size BIGINT NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_guarantee_file PRIMARY KEY (lot_id, bidder_id, digest),
    CONSTRAINT fk_guarantee_file_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT fk_guarantee_file_bidder_id FOREIGN KEY(bidder_id)
        REFERENCES kernel.organisation (id)
)
    """,
    "CREATE INDEX ix_guarantee_file_sent_at ON trading.guarantee_file (sent_at)",
    "CREATE INDEX ix_guarantee_file_digest ON trading.guarantee_file (digest)",
    "GRANT SELECT ON trading.guarantee_file TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON trading.guarantee_file TO sunbid_app",
)


def upgrade() -> None:
    """Make the table."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """Take it back; only ever wanted on a test's database."""
    op.get_bind().exec_driver_sql("DROP TABLE trading.guarantee_file")
