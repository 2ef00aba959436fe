"""Keep archives: legal holds, and a journal that can forget who acted.

Revision ID: 2026_11_29_2335
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_29_2335"
down_revision = "2026_11_29_2320"
branch_labels = None
depends_on = None

_FORGET_ONLY = """
CREATE FUNCTION kernel.forget_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.operator = ''::bytea AND NEW.operator_salt = ''::bytea
     AND to_jsonb(NEW) - '{operator,operator_salt}'::text[]
       = to_jsonb(OLD) - '{operator,operator_salt}'::text[] THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION '% on %.% is refused: it is append-only', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation';
END $$
"""

STATEMENTS = (
    _FORGET_ONLY,
    "DROP TRIGGER no_rewrite ON kernel.journal",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON kernel.journal"
    " FOR EACH ROW EXECUTE FUNCTION kernel.forget_only()",
    "GRANT UPDATE (operator, operator_salt) ON kernel.journal TO sunbid_app",
    """
CREATE TABLE trading.legal_hold (
    id UUID NOT NULL,
    lot_id UUID NOT NULL,
    authority VARCHAR NOT NULL,
    document VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    set_by UUID NOT NULL,
    set_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_legal_hold PRIMARY KEY (id),
    CONSTRAINT fk_legal_hold_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT uq_legal_hold_digest UNIQUE (digest),
    CONSTRAINT fk_legal_hold_set_by FOREIGN KEY(set_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE INDEX ix_legal_hold_lot_id ON trading.legal_hold (lot_id)",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.legal_hold FOR EACH ROW"
    " EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.legal_hold FOR EACH STATEMENT"
    " EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.legal_hold TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.legal_hold TO sunbid_app",
    """
CREATE TABLE trading.legal_hold_end (
    hold_id UUID NOT NULL,
    reason VARCHAR NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    lifted_by UUID NOT NULL,
    lifted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_legal_hold_end PRIMARY KEY (hold_id),
    CONSTRAINT fk_legal_hold_end_hold_id FOREIGN KEY(hold_id) REFERENCES trading.legal_hold (id),
    CONSTRAINT uq_legal_hold_end_digest UNIQUE (digest),
    CONSTRAINT fk_legal_hold_end_lifted_by FOREIGN KEY(lifted_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.legal_hold_end FOR EACH"
    " ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.legal_hold_end FOR EACH"
    " STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.legal_hold_end TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.legal_hold_end TO sunbid_app",
)


def upgrade() -> None:
    """Make the tables with what guards them."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """Take them away; only ever wanted on a test's database."""
    connection = op.get_bind()
    connection.exec_driver_sql(
        "REVOKE UPDATE (operator, operator_salt) ON kernel.journal FROM sunbid_app"
    )
    connection.exec_driver_sql("DROP TRIGGER no_rewrite ON kernel.journal")
    connection.exec_driver_sql(
        "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON kernel.journal"
        " FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()"
    )
    connection.exec_driver_sql("DROP FUNCTION kernel.forget_only()")
    connection.exec_driver_sql("DROP TABLE trading.legal_hold_end")
    connection.exec_driver_sql("DROP TABLE trading.legal_hold")
