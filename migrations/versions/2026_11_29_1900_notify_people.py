"""Notify people: contacts, notifications, their readers, deliveries and what is silent.

Revision ID: 2026_11_29_1900
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_29_1900"
down_revision = "2026_11_29_1855"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
CREATE TABLE kernel.contact (
    id UUID NOT NULL,
    person_id UUID NOT NULL,
    party_id UUID NOT NULL,
    kind VARCHAR NOT NULL,
    salt BYTEA NOT NULL,
    sealed BYTEA NOT NULL,
    kept_at TIMESTAMP WITH TIME ZONE NOT NULL,
    verified_at TIMESTAMP WITH TIME ZONE,
    code_salt BYTEA NOT NULL,
    code_tries INTEGER NOT NULL,
    code_asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    codes_today INTEGER NOT NULL,
    CONSTRAINT pk_contact PRIMARY KEY (id),
    CONSTRAINT uq_contact_person_id_party_id_kind UNIQUE (person_id, party_id, kind),
    CONSTRAINT fk_contact_person_id FOREIGN KEY(person_id) REFERENCES kernel.person (id),
    CONSTRAINT fk_contact_party_id FOREIGN KEY(party_id) REFERENCES kernel.organisation (id)
)
    """,
    "CREATE INDEX ix_contact_party_id ON kernel.contact (party_id)",
    """
CREATE TABLE kernel.notification (
    id UUID NOT NULL,
    entry_id UUID NOT NULL,
    topic VARCHAR NOT NULL,
    subject_id UUID NOT NULL,
    facts JSONB NOT NULL,
    must BOOLEAN NOT NULL,
    party_id UUID NOT NULL,
    role VARCHAR NOT NULL,
    person_id UUID,
    posted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_notification PRIMARY KEY (id),
    CONSTRAINT fk_notification_party_id FOREIGN KEY(party_id) REFERENCES kernel.organisation (id),
    CONSTRAINT fk_notification_person_id FOREIGN KEY(person_id) REFERENCES kernel.person (id)
)
    """,
    "CREATE INDEX ix_notification_party_id_role ON kernel.notification (party_id, role)",
    "CREATE INDEX ix_notification_subject_id ON kernel.notification (subject_id)",
    """
CREATE TABLE kernel.notification_read (
    notification_id UUID NOT NULL,
    person_id UUID NOT NULL,
    read_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_notification_read PRIMARY KEY (notification_id, person_id),
    CONSTRAINT fk_notification_read_notification_id
        FOREIGN KEY(notification_id) REFERENCES kernel.notification (id),
    CONSTRAINT fk_notification_read_person_id FOREIGN KEY(person_id) REFERENCES kernel.person (id)
)
    """,
    """
CREATE TABLE kernel.delivery (
    id UUID NOT NULL,
    notification_id UUID,
    contact_id UUID NOT NULL,
    channel VARCHAR NOT NULL,
    fallback BOOLEAN NOT NULL,
    state VARCHAR NOT NULL,
    tries INTEGER NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE,
    settled_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_delivery PRIMARY KEY (id),
    CONSTRAINT fk_delivery_notification_id
        FOREIGN KEY(notification_id) REFERENCES kernel.notification (id),
    CONSTRAINT fk_delivery_contact_id FOREIGN KEY(contact_id) REFERENCES kernel.contact (id)
)
    """,
    "CREATE INDEX ix_delivery_due_at ON kernel.delivery (due_at)",
    "CREATE INDEX ix_delivery_notification_id ON kernel.delivery (notification_id)",
    """
CREATE TABLE kernel.delivery_attempt (
    delivery_id UUID NOT NULL,
    number INTEGER NOT NULL,
    outcome VARCHAR NOT NULL,
    answer VARCHAR NOT NULL,
    tried_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_delivery_attempt PRIMARY KEY (delivery_id, number),
    CONSTRAINT fk_delivery_attempt_delivery_id
        FOREIGN KEY(delivery_id) REFERENCES kernel.delivery (id)
)
    """,
    """
CREATE TABLE kernel.muted (
    person_id UUID NOT NULL,
    party_id UUID NOT NULL,
    topic VARCHAR NOT NULL,
    channel VARCHAR NOT NULL,
    CONSTRAINT pk_muted PRIMARY KEY (person_id, party_id, topic, channel),
    CONSTRAINT fk_muted_person_id FOREIGN KEY(person_id) REFERENCES kernel.person (id),
    CONSTRAINT fk_muted_party_id FOREIGN KEY(party_id) REFERENCES kernel.organisation (id)
)
    """,
    "GRANT SELECT, INSERT, UPDATE, DELETE ON kernel.contact TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON kernel.notification FOR EACH"
    " ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON kernel.notification FOR EACH STATEMENT"
    " EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT, INSERT ON kernel.notification TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON kernel.notification_read FOR"
    " EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON kernel.notification_read FOR EACH"
    " STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT, INSERT ON kernel.notification_read TO sunbid_app",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON kernel.delivery TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON kernel.delivery_attempt FOR"
    " EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON kernel.delivery_attempt FOR EACH"
    " STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT, INSERT ON kernel.delivery_attempt TO sunbid_app",
    "GRANT SELECT ON kernel.muted TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON kernel.muted TO sunbid_app",
    # Nobody is told again of what happened before there was anybody to tell.
    "INSERT INTO kernel.follower (name, position) SELECT 'post_notifications', max(position)"
    " FROM kernel.sequence HAVING max(position) IS NOT NULL",
)

TABLES = (
    "muted",
    "delivery_attempt",
    "delivery",
    "notification_read",
    "notification",
    "contact",
)


def upgrade() -> None:
    """Make the tables with their guards, and begin with what happens from now on."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """Take them away again."""
    connection = op.get_bind()
    for table in TABLES:
        connection.exec_driver_sql(f"DROP TABLE kernel.{table}")
    connection.exec_driver_sql("DELETE FROM kernel.follower WHERE name = 'post_notifications'")
