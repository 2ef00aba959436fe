"""Let a candidate be examined again by its committee before the notice goes out.

Revision ID: 2026_11_30_1440
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_30_1440"
down_revision = "2026_11_30_1510"
branch_labels = None
depends_on = None

MADE = (
    """
CREATE TABLE trading.recheck (
    lot_id UUID NOT NULL,
    number INTEGER NOT NULL,
    brake UUID NOT NULL,
    round INTEGER NOT NULL,
    candidate_id UUID NOT NULL,
    ground VARCHAR NOT NULL,
    words VARCHAR NOT NULL,
    evidence JSONB NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    asked_by UUID NOT NULL,
    asked_for UUID NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_recheck PRIMARY KEY (lot_id, number),
    CONSTRAINT fk_recheck_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT uq_recheck_brake UNIQUE (brake),
    CONSTRAINT fk_recheck_candidate_id FOREIGN KEY(candidate_id)
        REFERENCES kernel.organisation (id),
    CONSTRAINT uq_recheck_digest UNIQUE (digest),
    CONSTRAINT fk_recheck_asked_by FOREIGN KEY(asked_by) REFERENCES kernel.person (id),
    CONSTRAINT fk_recheck_asked_for FOREIGN KEY(asked_for) REFERENCES kernel.organisation (id)
)
    """,
    """
CREATE TABLE trading.recheck_opinion (
    lot_id UUID NOT NULL,
    number INTEGER NOT NULL,
    member_id UUID NOT NULL,
    member INTEGER NOT NULL,
    fit BOOLEAN NOT NULL,
    words VARCHAR NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    given_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_recheck_opinion PRIMARY KEY (lot_id, number, member_id),
    CONSTRAINT fk_recheck_opinion_lot_id_number FOREIGN KEY(lot_id, number)
        REFERENCES trading.recheck (lot_id, number),
    CONSTRAINT uq_recheck_opinion_digest UNIQUE (digest)
)
    """,
    """
CREATE TABLE trading.recheck_conclusion (
    lot_id UUID NOT NULL,
    number INTEGER NOT NULL,
    confirmed BOOLEAN NOT NULL,
    members INTEGER NOT NULL,
    concluded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    entry_id UUID NOT NULL,
    CONSTRAINT pk_recheck_conclusion PRIMARY KEY (lot_id, number),
    CONSTRAINT fk_recheck_conclusion_lot_id_number FOREIGN KEY(lot_id, number)
        REFERENCES trading.recheck (lot_id, number),
    CONSTRAINT uq_recheck_conclusion_entry_id UNIQUE (entry_id)
)
    """,
)
TABLES = ("recheck", "recheck_opinion", "recheck_conclusion")


def upgrade() -> None:
    """Make the tables, which nobody rewrites."""
    run = op.get_bind().exec_driver_sql
    for statement in MADE:
        run(statement)
    for table in TABLES:
        run(
            f"CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.{table}"
            " FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()"
        )
        run(
            f"CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.{table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()"
        )
        run(f"GRANT SELECT ON trading.{table} TO sunbid_app, sunbid_read, sunbid_log")
        run(f"GRANT SELECT, INSERT ON trading.{table} TO sunbid_app")


def downgrade() -> None:
    """Take it all back; only ever wanted on a test's database."""
    for table in reversed(TABLES):
        op.get_bind().exec_driver_sql(f"DROP TABLE trading.{table}")
