"""Keep changes and clarifications of prequalification documents.

Revision ID: 2026_11_30_0510
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_30_0510"
down_revision = "2026_11_30_0610"
branch_labels = None
depends_on = None

TABLE = "trading.prequalification_addendum"
STATEMENTS = (
    """
CREATE TABLE trading.prequalification_addendum (
    lot_id UUID NOT NULL,
    round INTEGER NOT NULL,
    number INTEGER NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    title VARCHAR NOT NULL,
    text VARCHAR NOT NULL,
    may_affect BOOLEAN NOT NULL,
    documents JSONB NOT NULL,
    applications_due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    window_until TIMESTAMP WITH TIME ZONE NOT NULL,
    published_by UUID NOT NULL,
    published_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_prequalification_addendum PRIMARY KEY (lot_id, round, number),
    CONSTRAINT fk_prequalification_addendum_lot_id_round FOREIGN KEY(lot_id, round) REFERENCES trading.prequalification (lot_id, round),
    CONSTRAINT ck_prequalification_addendum_numbered_from_one CHECK (number > 0),
    CONSTRAINT ck_prequalification_addendum_window_after_deadline CHECK (applications_due_at < window_until),
    CONSTRAINT uq_prequalification_addendum_digest UNIQUE (digest),
    CONSTRAINT fk_prequalification_addendum_published_by FOREIGN KEY(published_by) REFERENCES kernel.person (id)
)
    """,
    f"CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON {TABLE} FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    f"CREATE TRIGGER no_truncate BEFORE TRUNCATE ON {TABLE} FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    f"GRANT SELECT ON {TABLE} TO sunbid_app, sunbid_read, sunbid_log",
    f"GRANT SELECT, INSERT ON {TABLE} TO sunbid_app",
    """
CREATE OR REPLACE FUNCTION trading.check_application() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM trading.prequalification p WHERE p.lot_id = NEW.lot_id
                 AND p.round = NEW.round AND NEW.received_at < coalesce(
                   (SELECT a.applications_due_at FROM trading.prequalification_addendum a
                    WHERE a.lot_id = p.lot_id AND a.round = p.round
                    ORDER BY a.number DESC LIMIT 1), p.applications_due_at)) THEN
    RAISE EXCEPTION 'no application is taken in at %', NEW.received_at
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$
    """,
)
BEFORE = """
CREATE OR REPLACE FUNCTION trading.check_application() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM trading.prequalification WHERE lot_id = NEW.lot_id
                 AND round = NEW.round AND NEW.received_at < applications_due_at) THEN
    RAISE EXCEPTION 'no application is taken in at %', NEW.received_at
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$
"""


def upgrade() -> None:
    """Make the table."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """Take it back; only ever wanted on a test's database."""
    connection = op.get_bind()
    connection.exec_driver_sql(BEFORE)
    connection.exec_driver_sql(f"DROP TABLE {TABLE}")
