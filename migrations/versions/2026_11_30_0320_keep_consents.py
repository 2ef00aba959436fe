"""Keep consents and requests to be forgotten; a declaration of health can be erased.

Revision ID: 2026_11_30_0320
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_30_0320"
down_revision = "2026_11_30_0310"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
CREATE TABLE kernel.consent (
    id UUID NOT NULL,
    person_id UUID NOT NULL,
    purpose VARCHAR NOT NULL,
    version INTEGER NOT NULL,
    text_digest BYTEA NOT NULL,
    given_at TIMESTAMP WITH TIME ZONE NOT NULL,
    withdrawn_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_consent PRIMARY KEY (id),
    CONSTRAINT fk_consent_person_id FOREIGN KEY(person_id) REFERENCES kernel.person (id)
)
    """,
    "CREATE INDEX ix_consent_person_id ON kernel.consent (person_id)",
    "GRANT SELECT ON kernel.consent TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON kernel.consent TO sunbid_app",
    """
CREATE TABLE trading.erasure_request (
    id UUID NOT NULL,
    person_id UUID NOT NULL,
    words VARCHAR NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    answer VARCHAR NOT NULL,
    decided_at TIMESTAMP WITH TIME ZONE,
    decided_by UUID,
    CONSTRAINT pk_erasure_request PRIMARY KEY (id),
    CONSTRAINT fk_erasure_request_person_id FOREIGN KEY(person_id) REFERENCES kernel.person (id),
    CONSTRAINT fk_erasure_request_decided_by FOREIGN KEY(decided_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE INDEX ix_erasure_request_person_id ON trading.erasure_request (person_id)",
    "GRANT SELECT ON trading.erasure_request TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON trading.erasure_request TO sunbid_app",
    "ALTER TABLE expert_pool.expert ALTER COLUMN healthy DROP NOT NULL",
)


def upgrade() -> None:
    """Make the tables, and let the declaration be empty."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """Take it back; only ever wanted on a test's database."""
    connection = op.get_bind()
    connection.exec_driver_sql(
        "UPDATE expert_pool.expert SET healthy = false WHERE healthy IS NULL"
    )
    connection.exec_driver_sql("ALTER TABLE expert_pool.expert ALTER COLUMN healthy SET NOT NULL")
    connection.exec_driver_sql("DROP TABLE trading.erasure_request")
    connection.exec_driver_sql("DROP TABLE kernel.consent")
