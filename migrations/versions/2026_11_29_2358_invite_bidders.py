"""Invite bidders: how the invited of a lot were found, and who they are.

Revision ID: 2026_11_29_2358
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_29_2358"
down_revision = "2026_11_29_2355"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
CREATE TABLE trading.invitation (
    lot_id UUID NOT NULL,
    source VARCHAR NOT NULL,
    record VARCHAR NOT NULL,
    witnesses JSONB NOT NULL,
    salt BYTEA NOT NULL,
    seed BYTEA,
    named_by UUID NOT NULL,
    named_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_invitation PRIMARY KEY (lot_id),
    CONSTRAINT fk_invitation_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT fk_invitation_named_by FOREIGN KEY(named_by) REFERENCES kernel.person (id)
)
    """,
    "GRANT SELECT ON trading.invitation TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON trading.invitation TO sunbid_app",
    """
CREATE TABLE trading.invitee (
    lot_id UUID NOT NULL,
    party_id UUID NOT NULL,
    place INTEGER NOT NULL,
    invited BOOLEAN NOT NULL,
    CONSTRAINT pk_invitee PRIMARY KEY (lot_id, party_id),
    CONSTRAINT uq_invitee_lot_id_place UNIQUE (lot_id, place),
    CONSTRAINT ck_invitee_placed_from_one CHECK (place > 0),
    CONSTRAINT fk_invitee_lot_id FOREIGN KEY(lot_id) REFERENCES trading.invitation (lot_id),
    CONSTRAINT fk_invitee_party_id FOREIGN KEY(party_id) REFERENCES kernel.organisation (id)
)
    """,
    "CREATE INDEX ix_invitee_party_id ON trading.invitee (party_id)",
    "GRANT SELECT ON trading.invitee TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON trading.invitee TO sunbid_app",
)


def upgrade() -> None:
    """Make the tables."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """Take them away again; only ever wanted on a test's database."""
    connection = op.get_bind()
    for name in ("invitee", "invitation"):
        connection.exec_driver_sql(f"DROP TABLE trading.{name}")
