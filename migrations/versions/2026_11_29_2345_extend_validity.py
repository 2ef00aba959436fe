"""Ask all who bid to stay bound longer, and keep what each answered.

Revision ID: 2026_11_29_2345
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_29_2345"
down_revision = "2026_11_29_2335"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
CREATE TABLE trading.validity_request (
    lot_id UUID NOT NULL,
    number INTEGER NOT NULL,
    validity_days INTEGER NOT NULL,
    answer_by TIMESTAMP WITH TIME ZONE NOT NULL,
    reason VARCHAR NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    asked_by UUID NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    cautions JSONB NOT NULL,
    CONSTRAINT pk_validity_request PRIMARY KEY (lot_id, number),
    CONSTRAINT ck_validity_request_numbered_from_one CHECK (number > 0),
    CONSTRAINT fk_validity_request_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT uq_validity_request_digest UNIQUE (digest),
    CONSTRAINT fk_validity_request_asked_by FOREIGN KEY(asked_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.validity_request FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.validity_request FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.validity_request TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.validity_request TO sunbid_app",
    """
CREATE TABLE trading.validity_answer (
    lot_id UUID NOT NULL,
    number INTEGER NOT NULL,
    bidder_id UUID NOT NULL,
    agreed BOOLEAN NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    answered_by UUID NOT NULL,
    answered_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_validity_answer PRIMARY KEY (lot_id, number, bidder_id),
    CONSTRAINT fk_validity_answer_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT fk_validity_answer_bidder_id FOREIGN KEY(bidder_id) REFERENCES kernel.organisation (id),
    CONSTRAINT uq_validity_answer_digest UNIQUE (digest),
    CONSTRAINT fk_validity_answer_answered_by FOREIGN KEY(answered_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.validity_answer FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.validity_answer FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.validity_answer TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.validity_answer TO sunbid_app",
)

TABLES = (
    "validity_answer",
    "validity_request",
)


def upgrade() -> None:
    """Make the tables."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """Take them away again; only ever wanted on a test's database."""
    connection = op.get_bind()
    for name in TABLES:
        connection.exec_driver_sql(f"DROP TABLE trading.{name}")
