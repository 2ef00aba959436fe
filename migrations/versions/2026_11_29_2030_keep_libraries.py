"""Keep libraries of licences and performances, and letters of authorisation.

Revision ID: 2026_11_29_2030
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_29_2030"
down_revision = "2026_11_29_1940"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
CREATE TABLE trading.library_entry (
    id UUID NOT NULL,
    party_id UUID NOT NULL,
    kind VARCHAR NOT NULL,
    title VARCHAR NOT NULL,
    number VARCHAR NOT NULL,
    number_key VARCHAR NOT NULL,
    issuer VARCHAR NOT NULL,
    begins_on DATE NOT NULL,
    ends_on DATE,
    amount NUMERIC(18, 2),
    file_name VARCHAR NOT NULL,
    file_digest BYTEA NOT NULL,
    file_size INTEGER NOT NULL,
    media_type VARCHAR NOT NULL,
    replaces UUID,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    entered_by UUID NOT NULL,
    entered_at TIMESTAMP WITH TIME ZONE NOT NULL,
    erased_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_library_entry PRIMARY KEY (id),
    CONSTRAINT fk_library_entry_party_id FOREIGN KEY(party_id)
        REFERENCES kernel.organisation (id),
    CONSTRAINT fk_library_entry_replaces FOREIGN KEY(replaces)
        REFERENCES trading.library_entry (id),
    CONSTRAINT uq_library_entry_digest UNIQUE (digest),
    CONSTRAINT fk_library_entry_entered_by FOREIGN KEY(entered_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE INDEX ix_library_entry_ends_on ON trading.library_entry (ends_on)",
    "CREATE INDEX ix_library_entry_kind_number_key ON trading.library_entry (kind, number_key)",
    "CREATE INDEX ix_library_entry_party_id ON trading.library_entry (party_id)",
    "CREATE INDEX ix_library_entry_replaces ON trading.library_entry (replaces)",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON trading.library_entry TO sunbid_app",
    """
CREATE TABLE trading.library_verdict (
    entry_id UUID NOT NULL,
    holds BOOLEAN NOT NULL,
    basis VARCHAR NOT NULL,
    judged_by UUID NOT NULL,
    judged_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_library_verdict PRIMARY KEY (entry_id),
    CONSTRAINT fk_library_verdict_entry_id FOREIGN KEY(entry_id)
        REFERENCES trading.library_entry (id),
    CONSTRAINT fk_library_verdict_judged_by FOREIGN KEY(judged_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.library_verdict FOR EACH"
    " ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.library_verdict FOR EACH"
    " STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.library_verdict TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.library_verdict TO sunbid_app",
    """
CREATE TABLE trading.library_withdrawal (
    entry_id UUID NOT NULL,
    reason VARCHAR NOT NULL,
    withdrawn_by UUID NOT NULL,
    withdrawn_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_library_withdrawal PRIMARY KEY (entry_id),
    CONSTRAINT fk_library_withdrawal_entry_id FOREIGN KEY(entry_id)
        REFERENCES trading.library_entry (id),
    CONSTRAINT fk_library_withdrawal_withdrawn_by FOREIGN KEY(withdrawn_by)
        REFERENCES kernel.person (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.library_withdrawal FOR"
    " EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.library_withdrawal FOR EACH"
    " STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.library_withdrawal TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.library_withdrawal TO sunbid_app",
    """
CREATE TABLE trading.expiry_announcement (
    entry_id UUID NOT NULL,
    days INTEGER NOT NULL,
    announced_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_expiry_announcement PRIMARY KEY (entry_id, days),
    CONSTRAINT fk_expiry_announcement_entry_id FOREIGN KEY(entry_id)
        REFERENCES trading.library_entry (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.expiry_announcement FOR"
    " EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.expiry_announcement FOR EACH"
    " STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.expiry_announcement TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.expiry_announcement TO sunbid_app",
    """
CREATE TABLE trading.authority_letter (
    digest BYTEA NOT NULL,
    project_id UUID NOT NULL,
    number INTEGER NOT NULL,
    agency_id UUID NOT NULL,
    lots UUID[] NOT NULL,
    acts TEXT[] NOT NULL,
    last_day DATE,
    statement BYTEA NOT NULL,
    signed_by UUID NOT NULL,
    signed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_authority_letter PRIMARY KEY (digest),
    CONSTRAINT uq_authority_letter_project_id_number UNIQUE (project_id, number),
    CONSTRAINT fk_authority_letter_project_id FOREIGN KEY(project_id)
        REFERENCES trading.project (id),
    CONSTRAINT fk_authority_letter_agency_id FOREIGN KEY(agency_id)
        REFERENCES kernel.organisation (id),
    CONSTRAINT fk_authority_letter_signed_by FOREIGN KEY(signed_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.authority_letter FOR EACH"
    " ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.authority_letter FOR EACH"
    " STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.authority_letter TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.authority_letter TO sunbid_app",
    """
CREATE TABLE trading.authority_end (
    digest BYTEA NOT NULL,
    letter BYTEA NOT NULL,
    reason VARCHAR NOT NULL,
    statement BYTEA NOT NULL,
    ended_by UUID NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_authority_end PRIMARY KEY (digest),
    CONSTRAINT uq_authority_end_letter UNIQUE (letter),
    CONSTRAINT fk_authority_end_letter FOREIGN KEY(letter)
        REFERENCES trading.authority_letter (digest),
    CONSTRAINT fk_authority_end_ended_by FOREIGN KEY(ended_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.authority_end FOR EACH"
    " ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.authority_end FOR EACH STATEMENT"
    " EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.authority_end TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.authority_end TO sunbid_app",
)


def upgrade() -> None:
    """Make the tables with what guards them."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """Take them away; only ever wanted on a test's database."""
    connection = op.get_bind()
    connection.exec_driver_sql("DROP TABLE trading.authority_end")
    connection.exec_driver_sql("DROP TABLE trading.authority_letter")
    connection.exec_driver_sql("DROP TABLE trading.expiry_announcement")
    connection.exec_driver_sql("DROP TABLE trading.library_withdrawal")
    connection.exec_driver_sql("DROP TABLE trading.library_verdict")
    connection.exec_driver_sql("DROP TABLE trading.library_entry")
