"""Let committees be drawn that review the applications for a prequalification.

Revision ID: 2026_11_30_0800
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_30_0800"
down_revision = "2026_11_30_0710"
branch_labels = None
depends_on = None

OPINION = "evaluation.opinion"
STATEMENTS = (
    "ALTER TABLE expert_pool.draw ADD COLUMN review_round INTEGER",
    "ALTER TABLE expert_pool.draw DROP CONSTRAINT uq_draw_lot_id_round",
    "ALTER TABLE expert_pool.draw ADD CONSTRAINT uq_draw_lot_id_review_round_round"
    " UNIQUE NULLS NOT DISTINCT (lot_id, review_round, round)",
    "ALTER TABLE evaluation.committee ADD COLUMN review_round INTEGER",
    "ALTER TABLE evaluation.committee DROP CONSTRAINT uq_committee_lot_id",
    "ALTER TABLE evaluation.committee ADD CONSTRAINT uq_committee_lot_id_review_round"
    " UNIQUE NULLS NOT DISTINCT (lot_id, review_round)",
    "ALTER TABLE trading.prequalification_review"
    " ADD COLUMN by_committee BOOLEAN NOT NULL DEFAULT false",
    "ALTER TABLE trading.prequalification_review ALTER COLUMN by_committee DROP DEFAULT",
    """
CREATE TABLE evaluation.opinion (
    member_id UUID NOT NULL,
    number INTEGER NOT NULL,
    findings JSONB NOT NULL,
    digest BYTEA NOT NULL,
    keyid VARCHAR NOT NULL,
    public_key BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    given_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_opinion PRIMARY KEY (member_id, number),
    CONSTRAINT fk_opinion_member_id FOREIGN KEY(member_id) REFERENCES evaluation.member (id),
    CONSTRAINT ck_opinion_numbered_from_one CHECK (number > 0),
    CONSTRAINT uq_opinion_digest UNIQUE (digest)
)
    """,
    f"CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON {OPINION} FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    f"CREATE TRIGGER no_truncate BEFORE TRUNCATE ON {OPINION} FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    f"GRANT SELECT ON {OPINION} TO sunbid_app, sunbid_read, sunbid_log",
    f"GRANT SELECT, INSERT ON {OPINION} TO sunbid_app",
)
BEFORE = (
    f"DROP TABLE {OPINION}",
    "ALTER TABLE trading.prequalification_review DROP COLUMN by_committee",
    "ALTER TABLE evaluation.committee DROP CONSTRAINT uq_committee_lot_id_review_round",
    "ALTER TABLE evaluation.committee DROP COLUMN review_round",
    "ALTER TABLE evaluation.committee ADD CONSTRAINT uq_committee_lot_id UNIQUE (lot_id)",
    "ALTER TABLE expert_pool.draw DROP CONSTRAINT uq_draw_lot_id_review_round_round",
    "ALTER TABLE expert_pool.draw DROP COLUMN review_round",
    "ALTER TABLE expert_pool.draw ADD CONSTRAINT uq_draw_lot_id_round UNIQUE (lot_id, round)",
)


def upgrade() -> None:
    """Say whom a draw and a committee serve, and keep what members find of applications."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """Take it back; only ever wanted on a test's database."""
    connection = op.get_bind()
    for statement in BEFORE:
        connection.exec_driver_sql(statement)
