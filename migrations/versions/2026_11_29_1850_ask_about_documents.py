"""Ask about documents: questions of potential bidders, and which published answer each got.

Revision ID: 2026_11_29_1850
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_29_1850"
down_revision = "2026_11_29_1840"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
CREATE TABLE trading.question (
    id UUID NOT NULL,
    lot_id UUID NOT NULL,
    asker_id UUID NOT NULL,
    person_id UUID NOT NULL,
    words VARCHAR NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_question PRIMARY KEY (id),
    CONSTRAINT fk_question_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT fk_question_asker_id FOREIGN KEY(asker_id) REFERENCES kernel.organisation (id),
    CONSTRAINT fk_question_person_id FOREIGN KEY(person_id) REFERENCES kernel.person (id),
    CONSTRAINT uq_question_digest UNIQUE (digest)
)
    """,
    "CREATE INDEX ix_question_lot_id ON trading.question (lot_id)",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.question"
    " FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.question"
    " FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.question TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.question TO sunbid_app",
    """
CREATE TABLE trading.question_answer (
    question_id UUID NOT NULL,
    lot_id UUID NOT NULL,
    notice INTEGER NOT NULL,
    place INTEGER NOT NULL,
    CONSTRAINT pk_question_answer PRIMARY KEY (question_id),
    CONSTRAINT fk_question_answer_question_id FOREIGN KEY(question_id)
        REFERENCES trading.question (id),
    CONSTRAINT fk_question_answer_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id)
)
    """,
    "CREATE INDEX ix_question_answer_lot_id ON trading.question_answer (lot_id)",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.question_answer"
    " FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.question_answer"
    " FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.question_answer TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.question_answer TO sunbid_app",
)


def upgrade() -> None:
    """Make the tables with what guards them."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """Take them away; only ever wanted on a test's database."""
    connection = op.get_bind()
    connection.exec_driver_sql("DROP TABLE trading.question_answer")
    connection.exec_driver_sql("DROP TABLE trading.question")
