"""Keep what follows from an objection that stands, and that it was done.

Revision ID: 2026_11_30_1745
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_30_1745"
down_revision = "2026_11_30_1440"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE trading.objection_answer ADD COLUMN outcome VARCHAR",
    "ALTER TABLE trading.objection_answer ADD COLUMN remedy VARCHAR",
    "ALTER TABLE trading.objection_answer ADD COLUMN candidate_id UUID CONSTRAINT fk_objection_answer_candidate_id REFERENCES kernel.organisation (id)",
    """
CREATE TABLE trading.objection_remedy (
    objection_id UUID NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    carried_out_by UUID NOT NULL,
    carried_out_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_objection_remedy PRIMARY KEY (objection_id),
    CONSTRAINT fk_objection_remedy_objection_id FOREIGN KEY(objection_id) REFERENCES trading.objection_answer (objection_id),
    CONSTRAINT fk_objection_remedy_carried_out_by FOREIGN KEY(carried_out_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.objection_remedy FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.objection_remedy FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.objection_remedy TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.objection_remedy TO sunbid_app",
)


def upgrade() -> None:
    """Add what answers say, and the table, which nobody rewrites."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """Take both away; only ever wanted on a test's database."""
    connection = op.get_bind()
    connection.exec_driver_sql("DROP TABLE trading.objection_remedy CASCADE")
    for column in ("outcome", "remedy", "candidate_id"):
        connection.exec_driver_sql(f"ALTER TABLE trading.objection_answer DROP COLUMN {column}")
