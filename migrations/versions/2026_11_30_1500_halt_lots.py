"""Halt a lot by a supervisor's order or for a fault of the system.

Revision ID: 2026_11_30_1500
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_30_1500"
down_revision = "2026_11_30_0800"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
CREATE TABLE trading.lot_halt (
    id UUID NOT NULL,
    lot_id UUID NOT NULL,
    number INTEGER NOT NULL,
    ground VARCHAR NOT NULL,
    suspended BOOLEAN NOT NULL,
    authority VARCHAR NOT NULL,
    document VARCHAR NOT NULL,
    words VARCHAR NOT NULL,
    party_id UUID NOT NULL,
    person_id UUID NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    ordered_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_lot_halt PRIMARY KEY (id),
    CONSTRAINT uq_lot_halt_lot_id_number UNIQUE (lot_id, number),
    CONSTRAINT ck_lot_halt_numbered_from_one CHECK (number > 0),
    CONSTRAINT fk_lot_halt_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT fk_lot_halt_party_id FOREIGN KEY(party_id) REFERENCES kernel.organisation (id),
    CONSTRAINT fk_lot_halt_person_id FOREIGN KEY(person_id) REFERENCES kernel.person (id),
    CONSTRAINT uq_lot_halt_digest UNIQUE (digest)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.lot_halt FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.lot_halt FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.lot_halt TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.lot_halt TO sunbid_app",
)


def upgrade() -> None:
    """Make the table, which nobody rewrites."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """Take it away; only ever wanted on a test's database."""
    op.get_bind().exec_driver_sql("DROP TABLE trading.lot_halt CASCADE")
