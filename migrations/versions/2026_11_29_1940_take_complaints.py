"""Take complaints: their course and decisions, objections by their parts, lots tendered again.

Revision ID: 2026_11_29_1940
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_29_1940"
down_revision = "2026_11_29_1930"
branch_labels = None
depends_on = None

# Postgres 18 gives a column's NOT NULL a name of its own, which stays as it was.
_RENAMED_WITH_IT = """
DO $$ BEGIN
  IF EXISTS (SELECT 1 FROM pg_constraint WHERE conrelid = 'trading.objection'::regclass
             AND conname = 'objection_{old}_not_null') THEN
    ALTER TABLE trading.objection
      RENAME CONSTRAINT objection_{old}_not_null TO objection_{new}_not_null;
  END IF;
END $$
"""

STATEMENTS = (
    "ALTER TABLE trading.objection RENAME COLUMN words TO grounds",
    _RENAMED_WITH_IT.format(old="words", new="grounds"),
    "ALTER TABLE trading.objection ADD COLUMN request VARCHAR NOT NULL DEFAULT ''",
    "ALTER TABLE trading.objection ALTER COLUMN request DROP DEFAULT",
    "ALTER TABLE trading.objection ADD COLUMN evidence JSONB NOT NULL DEFAULT '[]'",
    "ALTER TABLE trading.objection ALTER COLUMN evidence DROP DEFAULT",
    """
CREATE TABLE trading.objection_withdrawal (
    objection_id UUID NOT NULL,
    reason VARCHAR NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    withdrawn_by UUID NOT NULL,
    withdrawn_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_objection_withdrawal PRIMARY KEY (objection_id),
    CONSTRAINT fk_objection_withdrawal_objection_id FOREIGN KEY(objection_id) REFERENCES trading.objection (id),
    CONSTRAINT uq_objection_withdrawal_digest UNIQUE (digest),
    CONSTRAINT fk_objection_withdrawal_withdrawn_by FOREIGN KEY(withdrawn_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.objection_withdrawal FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.objection_withdrawal FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.objection_withdrawal TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.objection_withdrawal TO sunbid_app",
    """
CREATE TABLE trading.complaint (
    id UUID NOT NULL,
    lot_id UUID NOT NULL,
    about VARCHAR NOT NULL,
    complainant_id UUID NOT NULL,
    person_id UUID NOT NULL,
    objection_id UUID,
    known_on DATE NOT NULL,
    request VARCHAR NOT NULL,
    grounds VARCHAR NOT NULL,
    evidence JSONB NOT NULL,
    interest VARCHAR NOT NULL,
    contact VARCHAR NOT NULL,
    cautions JSONB NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    filed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    acceptance_due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_complaint PRIMARY KEY (id),
    CONSTRAINT fk_complaint_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT fk_complaint_complainant_id FOREIGN KEY(complainant_id) REFERENCES kernel.organisation (id),
    CONSTRAINT fk_complaint_person_id FOREIGN KEY(person_id) REFERENCES kernel.person (id),
    CONSTRAINT uq_complaint_digest UNIQUE (digest)
)
    """,
    "CREATE INDEX ix_complaint_complainant_id ON trading.complaint (complainant_id)",
    "CREATE INDEX ix_complaint_lot_id ON trading.complaint (lot_id)",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.complaint FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.complaint FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.complaint TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.complaint TO sunbid_app",
    """
CREATE TABLE trading.complaint_answer (
    complaint_id UUID NOT NULL,
    taken_up BOOLEAN NOT NULL,
    reason VARCHAR NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    handler_id UUID NOT NULL,
    answered_by UUID NOT NULL,
    answered_at TIMESTAMP WITH TIME ZONE NOT NULL,
    late BOOLEAN NOT NULL,
    decision_due_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_complaint_answer PRIMARY KEY (complaint_id),
    CONSTRAINT fk_complaint_answer_complaint_id FOREIGN KEY(complaint_id) REFERENCES trading.complaint (id),
    CONSTRAINT uq_complaint_answer_digest UNIQUE (digest),
    CONSTRAINT fk_complaint_answer_handler_id FOREIGN KEY(handler_id) REFERENCES kernel.organisation (id),
    CONSTRAINT fk_complaint_answer_answered_by FOREIGN KEY(answered_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.complaint_answer FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.complaint_answer FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.complaint_answer TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.complaint_answer TO sunbid_app",
    """
CREATE TABLE trading.complaint_brake (
    complaint_id UUID NOT NULL,
    number INTEGER NOT NULL,
    suspended BOOLEAN NOT NULL,
    reason VARCHAR NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    ordered_by UUID NOT NULL,
    ordered_at TIMESTAMP WITH TIME ZONE NOT NULL,
    until TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_complaint_brake PRIMARY KEY (complaint_id, number),
    CONSTRAINT ck_complaint_brake_numbered_from_one CHECK (number > 0),
    CONSTRAINT fk_complaint_brake_complaint_id FOREIGN KEY(complaint_id) REFERENCES trading.complaint (id),
    CONSTRAINT uq_complaint_brake_digest UNIQUE (digest),
    CONSTRAINT fk_complaint_brake_ordered_by FOREIGN KEY(ordered_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.complaint_brake FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.complaint_brake FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.complaint_brake TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.complaint_brake TO sunbid_app",
    """
CREATE TABLE trading.complaint_decision (
    complaint_id UUID NOT NULL,
    verdict VARCHAR NOT NULL,
    facts VARCHAR NOT NULL,
    basis VARCHAR NOT NULL,
    evidence VARCHAR NOT NULL,
    ordered VARCHAR NOT NULL,
    remedy VARCHAR NOT NULL,
    consequence VARCHAR NOT NULL,
    notice_number INTEGER NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    decided_by UUID NOT NULL,
    decided_at TIMESTAMP WITH TIME ZONE NOT NULL,
    late BOOLEAN NOT NULL,
    cautions JSONB NOT NULL,
    CONSTRAINT pk_complaint_decision PRIMARY KEY (complaint_id),
    CONSTRAINT fk_complaint_decision_complaint_id FOREIGN KEY(complaint_id) REFERENCES trading.complaint (id),
    CONSTRAINT uq_complaint_decision_digest UNIQUE (digest),
    CONSTRAINT fk_complaint_decision_decided_by FOREIGN KEY(decided_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.complaint_decision FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.complaint_decision FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.complaint_decision TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.complaint_decision TO sunbid_app",
    """
CREATE TABLE trading.complaint_withdrawal (
    complaint_id UUID NOT NULL,
    reason VARCHAR NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    withdrawn_by UUID NOT NULL,
    withdrawn_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_complaint_withdrawal PRIMARY KEY (complaint_id),
    CONSTRAINT fk_complaint_withdrawal_complaint_id FOREIGN KEY(complaint_id) REFERENCES trading.complaint (id),
    CONSTRAINT uq_complaint_withdrawal_digest UNIQUE (digest),
    CONSTRAINT fk_complaint_withdrawal_withdrawn_by FOREIGN KEY(withdrawn_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.complaint_withdrawal FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.complaint_withdrawal FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.complaint_withdrawal TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.complaint_withdrawal TO sunbid_app",
    """
CREATE TABLE trading.retender (
    lot_id UUID NOT NULL,
    replaces_id UUID NOT NULL,
    begun_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_retender PRIMARY KEY (lot_id),
    CONSTRAINT fk_retender_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT fk_retender_replaces_id FOREIGN KEY(replaces_id) REFERENCES trading.lot (id)
)
    """,
    "CREATE INDEX ix_retender_replaces_id ON trading.retender (replaces_id)",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.retender FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.retender FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.retender TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.retender TO sunbid_app",
)

TABLES = (
    "retender",
    "complaint_withdrawal",
    "complaint_decision",
    "complaint_brake",
    "complaint_answer",
    "complaint",
    "objection_withdrawal",
)


def upgrade() -> None:
    """Make the tables, and give every objection a place for its parts."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """Take them away again; only ever wanted on a test's database."""
    connection = op.get_bind()
    for name in TABLES:
        connection.exec_driver_sql(f"DROP TABLE trading.{name}")
    for name in ("evidence", "request"):
        connection.exec_driver_sql(f"ALTER TABLE trading.objection DROP COLUMN {name}")
    connection.exec_driver_sql("ALTER TABLE trading.objection RENAME COLUMN grounds TO words")
    connection.exec_driver_sql(_RENAMED_WITH_IT.format(old="grounds", new="words"))
