"""Agree prices: the only supplier of a lot, the price agreed with it, and who signed that.

Revision ID: 2026_11_30_0310
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_30_0310"
down_revision = "2026_11_30_0300"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
CREATE TABLE trading.sole_supplier (
    lot_id UUID NOT NULL,
    supplier_id UUID NOT NULL,
    grounds VARCHAR NOT NULL,
    opinions JSONB NOT NULL,
    named_by UUID NOT NULL,
    named_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_sole_supplier PRIMARY KEY (lot_id),
    CONSTRAINT fk_sole_supplier_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT fk_sole_supplier_supplier_id FOREIGN KEY(supplier_id) REFERENCES kernel.organisation (id),
    CONSTRAINT fk_sole_supplier_named_by FOREIGN KEY(named_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE INDEX ix_sole_supplier_supplier_id ON trading.sole_supplier (supplier_id)",
    "GRANT SELECT ON trading.sole_supplier TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON trading.sole_supplier TO sunbid_app",
    """
CREATE TABLE trading.price_agreement (
    lot_id UUID NOT NULL,
    number INTEGER NOT NULL,
    digest BYTEA NOT NULL,
    body JSONB NOT NULL,
    price NUMERIC(18, 2) NOT NULL,
    members JSONB NOT NULL,
    offered_by UUID NOT NULL,
    offered_at TIMESTAMP WITH TIME ZONE NOT NULL,
    cautions JSONB NOT NULL,
    CONSTRAINT pk_price_agreement PRIMARY KEY (lot_id, number),
    CONSTRAINT ck_price_agreement_numbered_from_one CHECK (number > 0),
    CONSTRAINT fk_price_agreement_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT uq_price_agreement_digest UNIQUE (digest),
    CONSTRAINT fk_price_agreement_offered_by FOREIGN KEY(offered_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.price_agreement FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.price_agreement FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.price_agreement TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.price_agreement TO sunbid_app",
    """
CREATE TABLE trading.price_signature (
    lot_id UUID NOT NULL,
    number INTEGER NOT NULL,
    person_id UUID NOT NULL,
    party_id UUID NOT NULL,
    for_supplier BOOLEAN NOT NULL,
    statement BYTEA NOT NULL,
    signed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_price_signature PRIMARY KEY (lot_id, number, person_id),
    CONSTRAINT fk_price_signature_lot_id_number FOREIGN KEY(lot_id, number) REFERENCES trading.price_agreement (lot_id, number),
    CONSTRAINT fk_price_signature_person_id FOREIGN KEY(person_id) REFERENCES kernel.person (id),
    CONSTRAINT fk_price_signature_party_id FOREIGN KEY(party_id) REFERENCES kernel.organisation (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.price_signature FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.price_signature FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.price_signature TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.price_signature TO sunbid_app",
)


def upgrade() -> None:
    """Make the tables."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """Take them away again; only ever wanted on a test's database."""
    connection = op.get_bind()
    for name in ("price_signature", "price_agreement", "sole_supplier"):
        connection.exec_driver_sql(f"DROP TABLE trading.{name}")
