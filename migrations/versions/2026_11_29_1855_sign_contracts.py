"""Contracts: offered, signed by both sides, filed, changed, reported on, settled, and what is overdue.

Revision ID: 2026_11_29_1855
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_29_1855"
down_revision = "2026_11_29_1850"
branch_labels = None
depends_on = None

TABLES = (
    "award_report",
    "contract_offer",
    "contract",
    "contract_filing",
    "contract_change_offer",
    "contract_change",
    "performance_report",
    "settlement",
    "overdue_duty",
)

STATEMENTS = (
    """
CREATE TABLE trading.award_report (
    lot_id UUID NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    reported_by UUID NOT NULL,
    reported_at TIMESTAMP WITH TIME ZONE NOT NULL,
    late BOOLEAN NOT NULL,
    CONSTRAINT pk_award_report PRIMARY KEY (lot_id),
    CONSTRAINT fk_award_report_lot_id FOREIGN KEY(lot_id) REFERENCES trading.award (lot_id),
    CONSTRAINT uq_award_report_digest UNIQUE (digest),
    CONSTRAINT fk_award_report_reported_by FOREIGN KEY(reported_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.award_report FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.award_report FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.award_report TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.award_report TO sunbid_app",
    """
CREATE TABLE trading.contract_offer (
    lot_id UUID NOT NULL,
    version INTEGER NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    offered_by UUID NOT NULL,
    offered_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_contract_offer PRIMARY KEY (lot_id, version),
    CONSTRAINT fk_contract_offer_lot_id FOREIGN KEY(lot_id) REFERENCES trading.award (lot_id),
    CONSTRAINT uq_contract_offer_digest UNIQUE (digest),
    CONSTRAINT fk_contract_offer_offered_by FOREIGN KEY(offered_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.contract_offer FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.contract_offer FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.contract_offer TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.contract_offer TO sunbid_app",
    """
CREATE TABLE trading.contract (
    lot_id UUID NOT NULL,
    number VARCHAR NOT NULL,
    version INTEGER NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    price NUMERIC(18, 2) NOT NULL,
    performance_security NUMERIC(18, 2) NOT NULL,
    signed_by UUID NOT NULL,
    signed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    entry_id UUID NOT NULL,
    public_due_at TIMESTAMP WITH TIME ZONE,
    file_due_at TIMESTAMP WITH TIME ZONE,
    cautions JSONB NOT NULL,
    CONSTRAINT pk_contract PRIMARY KEY (lot_id),
    CONSTRAINT fk_contract_lot_id FOREIGN KEY(lot_id) REFERENCES trading.award (lot_id),
    CONSTRAINT uq_contract_number UNIQUE (number),
    CONSTRAINT uq_contract_digest UNIQUE (digest),
    CONSTRAINT fk_contract_signed_by FOREIGN KEY(signed_by) REFERENCES kernel.person (id),
    CONSTRAINT uq_contract_entry_id UNIQUE (entry_id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.contract FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.contract FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.contract TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.contract TO sunbid_app",
    """
CREATE TABLE trading.contract_filing (
    lot_id UUID NOT NULL,
    authority VARCHAR NOT NULL,
    reference VARCHAR NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    filed_by UUID NOT NULL,
    filed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    late BOOLEAN NOT NULL,
    CONSTRAINT pk_contract_filing PRIMARY KEY (lot_id),
    CONSTRAINT fk_contract_filing_lot_id FOREIGN KEY(lot_id) REFERENCES trading.contract (lot_id),
    CONSTRAINT uq_contract_filing_digest UNIQUE (digest),
    CONSTRAINT fk_contract_filing_filed_by FOREIGN KEY(filed_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.contract_filing FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.contract_filing FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.contract_filing TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.contract_filing TO sunbid_app",
    """
CREATE TABLE trading.contract_change_offer (
    digest BYTEA NOT NULL,
    lot_id UUID NOT NULL,
    number INTEGER NOT NULL,
    side VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    words VARCHAR NOT NULL,
    amount NUMERIC(18, 2) NOT NULL,
    period VARCHAR NOT NULL,
    statement BYTEA NOT NULL,
    offered_by UUID NOT NULL,
    offered_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_contract_change_offer PRIMARY KEY (digest),
    CONSTRAINT ck_contract_change_offer_numbered_from_one CHECK (number > 0),
    CONSTRAINT fk_contract_change_offer_lot_id FOREIGN KEY(lot_id) REFERENCES trading.contract (lot_id),
    CONSTRAINT fk_contract_change_offer_offered_by FOREIGN KEY(offered_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE INDEX ix_contract_change_offer_lot_id_number ON trading.contract_change_offer (lot_id, number)",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.contract_change_offer FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.contract_change_offer FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.contract_change_offer TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.contract_change_offer TO sunbid_app",
    """
CREATE TABLE trading.contract_change (
    lot_id UUID NOT NULL,
    number INTEGER NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    agreed_by UUID NOT NULL,
    agreed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_contract_change PRIMARY KEY (lot_id, number),
    CONSTRAINT fk_contract_change_lot_id FOREIGN KEY(lot_id) REFERENCES trading.contract (lot_id),
    CONSTRAINT uq_contract_change_digest UNIQUE (digest),
    CONSTRAINT fk_contract_change_digest FOREIGN KEY(digest) REFERENCES trading.contract_change_offer (digest),
    CONSTRAINT fk_contract_change_agreed_by FOREIGN KEY(agreed_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.contract_change FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.contract_change FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.contract_change TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.contract_change TO sunbid_app",
    """
CREATE TABLE trading.performance_report (
    digest BYTEA NOT NULL,
    lot_id UUID NOT NULL,
    side VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    words VARCHAR NOT NULL,
    amount NUMERIC(18, 2),
    share INTEGER,
    "on" DATE NOT NULL,
    due_on DATE,
    late BOOLEAN NOT NULL,
    statement BYTEA NOT NULL,
    reported_by UUID NOT NULL,
    reported_at TIMESTAMP WITH TIME ZONE NOT NULL,
    cautions JSONB NOT NULL,
    CONSTRAINT pk_performance_report PRIMARY KEY (digest),
    CONSTRAINT fk_performance_report_lot_id FOREIGN KEY(lot_id) REFERENCES trading.contract (lot_id),
    CONSTRAINT fk_performance_report_reported_by FOREIGN KEY(reported_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE INDEX ix_performance_report_lot_id ON trading.performance_report (lot_id)",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.performance_report FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.performance_report FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.performance_report TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.performance_report TO sunbid_app",
    """
CREATE TABLE trading.settlement (
    lot_id UUID NOT NULL,
    awarded NUMERIC(18, 2) NOT NULL,
    agreed NUMERIC(18, 2) NOT NULL,
    settled NUMERIC(18, 2) NOT NULL,
    auditor VARCHAR NOT NULL,
    document VARCHAR NOT NULL,
    completed_on DATE NOT NULL,
    audited_on DATE NOT NULL,
    words VARCHAR NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    settled_by UUID NOT NULL,
    settled_at TIMESTAMP WITH TIME ZONE NOT NULL,
    entry_id UUID NOT NULL,
    cautions JSONB NOT NULL,
    CONSTRAINT pk_settlement PRIMARY KEY (lot_id),
    CONSTRAINT ck_settlement_amounts_make_sense CHECK (awarded > 0 AND settled >= 0),
    CONSTRAINT fk_settlement_lot_id FOREIGN KEY(lot_id) REFERENCES trading.contract (lot_id),
    CONSTRAINT uq_settlement_digest UNIQUE (digest),
    CONSTRAINT fk_settlement_settled_by FOREIGN KEY(settled_by) REFERENCES kernel.person (id),
    CONSTRAINT uq_settlement_entry_id UNIQUE (entry_id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.settlement FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.settlement FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.settlement TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.settlement TO sunbid_app",
    """
CREATE TABLE trading.overdue_duty (
    lot_id UUID NOT NULL,
    duty VARCHAR NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    alarmed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_overdue_duty PRIMARY KEY (lot_id, duty),
    CONSTRAINT fk_overdue_duty_lot_id FOREIGN KEY(lot_id) REFERENCES trading.award (lot_id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.overdue_duty FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.overdue_duty FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.overdue_duty TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.overdue_duty TO sunbid_app",
)


def upgrade() -> None:
    """Make the tables of contracts, in order."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """Take them away; only ever wanted on a test's database."""
    connection = op.get_bind()
    for name in reversed(TABLES):
        connection.exec_driver_sql(f"DROP TABLE trading.{name}")
