"""Draft tender files block by block, place projects in the trading catalogue, and number deals.

Revision ID: 2026_11_29_1930
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_29_1930"
down_revision = "2026_11_29_1900"
branch_labels = None
depends_on = None

STATEMENTS = (
    "SET LOCAL lock_timeout = '4s'",
    "SET LOCAL statement_timeout = '5s'",
    "ALTER TABLE trading.project ADD COLUMN estimate NUMERIC(18, 2)",
    "ALTER TABLE trading.project ADD COLUMN investment_code VARCHAR NOT NULL DEFAULT ''",
    "ALTER TABLE trading.project ALTER COLUMN investment_code DROP DEFAULT",
    "ALTER TABLE trading.project ADD COLUMN scope JSONB NOT NULL DEFAULT '{}'",
    "ALTER TABLE trading.project ALTER COLUMN scope DROP DEFAULT",
    "ALTER TABLE trading.project ADD COLUMN judgement JSONB NOT NULL DEFAULT '{}'",
    "ALTER TABLE trading.project ALTER COLUMN judgement DROP DEFAULT",
    "ALTER TABLE trading.project ADD COLUMN platform_code VARCHAR",
    "ALTER TABLE trading.project ADD CONSTRAINT uq_project_platform_code UNIQUE (platform_code)",
    "ALTER TABLE trading.lot ADD COLUMN deal_code VARCHAR",
    "ALTER TABLE trading.lot ADD CONSTRAINT uq_lot_deal_code UNIQUE (deal_code)",
    """
CREATE TABLE trading.tender_file (
    lot_id UUID NOT NULL,
    document JSONB NOT NULL,
    answers JSONB NOT NULL,
    revision INTEGER NOT NULL,
    edited_by UUID NOT NULL,
    edited_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_tender_file PRIMARY KEY (lot_id),
    CONSTRAINT fk_tender_file_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT fk_tender_file_edited_by FOREIGN KEY(edited_by) REFERENCES kernel.person (id)
)
    """,
    """
CREATE TABLE trading.deal_count (
    stem VARCHAR NOT NULL,
    last INTEGER NOT NULL,
    CONSTRAINT pk_deal_count PRIMARY KEY (stem),
    CONSTRAINT ck_deal_count_serials_from_one CHECK (last > 0)
)
    """,
    "GRANT SELECT ON trading.tender_file TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON trading.tender_file TO sunbid_app",
    "GRANT SELECT ON trading.deal_count TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON trading.deal_count TO sunbid_app",
)


def upgrade() -> None:
    """Add what drafting, placing and numbering keep."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """Take it away again; only ever wanted on a test's database."""
    connection = op.get_bind()
    for table in ("deal_count", "tender_file"):
        connection.exec_driver_sql(f"DROP TABLE trading.{table}")
    connection.exec_driver_sql("ALTER TABLE trading.lot DROP COLUMN deal_code")
    for column in ("platform_code", "judgement", "scope", "investment_code", "estimate"):
        connection.exec_driver_sql(f"ALTER TABLE trading.project DROP COLUMN {column}")
