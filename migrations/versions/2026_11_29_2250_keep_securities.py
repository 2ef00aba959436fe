"""Keep bid securities: numbers to pay under, bank statements, guarantees, returns, forfeitures.

Revision ID: 2026_11_29_2250
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_29_2250"
down_revision = "2026_11_29_2030"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
CREATE TABLE trading.security_account (
    id UUID NOT NULL,
    lot_id UUID NOT NULL,
    bidder_id UUID NOT NULL,
    reference VARCHAR NOT NULL,
    given_to UUID NOT NULL,
    given_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_security_account PRIMARY KEY (id),
    CONSTRAINT uq_security_account_lot_id_bidder_id UNIQUE (lot_id, bidder_id),
    CONSTRAINT fk_security_account_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT fk_security_account_bidder_id FOREIGN KEY(bidder_id) REFERENCES kernel.organisation (id),
    CONSTRAINT uq_security_account_reference UNIQUE (reference),
    CONSTRAINT fk_security_account_given_to FOREIGN KEY(given_to) REFERENCES kernel.person (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.security_account FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.security_account FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.security_account TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.security_account TO sunbid_app",
    """
CREATE TABLE trading.bank_statement (
    digest BYTEA NOT NULL,
    line_count INTEGER NOT NULL,
    party_id UUID NOT NULL,
    taken_by UUID NOT NULL,
    taken_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_bank_statement PRIMARY KEY (digest),
    CONSTRAINT fk_bank_statement_party_id FOREIGN KEY(party_id) REFERENCES kernel.organisation (id),
    CONSTRAINT fk_bank_statement_taken_by FOREIGN KEY(taken_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.bank_statement FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.bank_statement FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.bank_statement TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.bank_statement TO sunbid_app",
    """
CREATE TABLE trading.bank_line (
    serial VARCHAR NOT NULL,
    statement_digest BYTEA NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    amount NUMERIC(18, 2) NOT NULL,
    reference VARCHAR NOT NULL,
    taken_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_bank_line PRIMARY KEY (serial),
    CONSTRAINT ck_bank_line_something_paid CHECK (amount > 0),
    CONSTRAINT fk_bank_line_statement_digest FOREIGN KEY(statement_digest) REFERENCES trading.bank_statement (digest)
)
    """,
    "CREATE INDEX ix_bank_line_reference ON trading.bank_line (reference)",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.bank_line FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.bank_line FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.bank_line TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.bank_line TO sunbid_app",
    """
CREATE TABLE trading.guarantee (
    digest BYTEA NOT NULL,
    account_id UUID NOT NULL,
    form VARCHAR NOT NULL,
    guarantor VARCHAR NOT NULL,
    number VARCHAR NOT NULL,
    amount NUMERIC(18, 2) NOT NULL,
    valid_until DATE NOT NULL,
    document BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    filed_by UUID NOT NULL,
    filed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_guarantee PRIMARY KEY (digest),
    CONSTRAINT fk_guarantee_account_id FOREIGN KEY(account_id) REFERENCES trading.security_account (id),
    CONSTRAINT fk_guarantee_filed_by FOREIGN KEY(filed_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE INDEX ix_guarantee_account_id ON trading.guarantee (account_id)",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.guarantee FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.guarantee FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.guarantee TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.guarantee TO sunbid_app",
    """
CREATE TABLE trading.security_return (
    id UUID NOT NULL,
    account_id UUID NOT NULL,
    cause VARCHAR NOT NULL,
    principal NUMERIC(18, 2) NOT NULL,
    interest NUMERIC(18, 2) NOT NULL,
    annual_rate NUMERIC(7, 4) NOT NULL,
    with_guarantee BOOLEAN NOT NULL,
    serial VARCHAR NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE,
    late BOOLEAN NOT NULL,
    returned_at TIMESTAMP WITH TIME ZONE NOT NULL,
    recorded_by UUID NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_security_return PRIMARY KEY (id),
    CONSTRAINT ck_security_return_amounts_make_sense CHECK (principal >= 0 AND interest >= 0),
    CONSTRAINT fk_security_return_account_id FOREIGN KEY(account_id) REFERENCES trading.security_account (id),
    CONSTRAINT fk_security_return_recorded_by FOREIGN KEY(recorded_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE INDEX ix_security_return_account_id ON trading.security_return (account_id)",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.security_return FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.security_return FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.security_return TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.security_return TO sunbid_app",
    """
CREATE TABLE trading.security_forfeiture (
    account_id UUID NOT NULL,
    ground VARCHAR NOT NULL,
    article VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    amount NUMERIC(18, 2) NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    decided_by UUID NOT NULL,
    decided_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_security_forfeiture PRIMARY KEY (account_id),
    CONSTRAINT fk_security_forfeiture_account_id FOREIGN KEY(account_id) REFERENCES trading.security_account (id),
    CONSTRAINT uq_security_forfeiture_digest UNIQUE (digest),
    CONSTRAINT fk_security_forfeiture_decided_by FOREIGN KEY(decided_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.security_forfeiture FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.security_forfeiture FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.security_forfeiture TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.security_forfeiture TO sunbid_app",
    """
CREATE TABLE trading.security_alarm (
    lot_id UUID NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    alarmed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_security_alarm PRIMARY KEY (lot_id, due_at),
    CONSTRAINT fk_security_alarm_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.security_alarm FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.security_alarm FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.security_alarm TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.security_alarm TO sunbid_app",
)

TABLES = (
    "security_alarm",
    "security_forfeiture",
    "security_return",
    "guarantee",
    "bank_line",
    "bank_statement",
    "security_account",
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
