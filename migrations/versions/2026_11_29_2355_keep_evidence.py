"""Keep the files that an objection or a complaint brings as evidence.

Revision ID: 2026_11_29_2355
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_29_2355"
down_revision = "2026_11_29_2345"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
CREATE TABLE trading.evidence_file (
    lot_id UUID NOT NULL,
    party_id UUID NOT NULL,
    digest BYTEA NOT NULL,
    name VARCHAR NOT NULL,
    media_type VARCHAR NOT NULL,
    size INTEGER NOT NULL,
    kept_by UUID NOT NULL,
    kept_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_evidence_file PRIMARY KEY (lot_id, party_id, digest),
    CONSTRAINT fk_evidence_file_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT fk_evidence_file_party_id FOREIGN KEY(party_id) REFERENCES kernel.organisation (id),
    CONSTRAINT fk_evidence_file_kept_by FOREIGN KEY(kept_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.evidence_file FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.evidence_file FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.evidence_file TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.evidence_file TO sunbid_app",
)


def upgrade() -> None:
    """Make the table."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """Take it away again; only ever wanted on a test's database."""
    op.get_bind().exec_driver_sql("DROP TABLE trading.evidence_file")
