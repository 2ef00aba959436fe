"""Let a lot have several awards, one in force: how one falls away, and votes under own signatures.

Revision ID: 2026_11_30_1350
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_30_1350"
down_revision = "2026_11_30_0740"
branch_labels = None
depends_on = None

KEYED = {
    "award_notice": ("lot_id, bidder_id", "lot_id, award_number, bidder_id"),
    "award_report": ("lot_id", "lot_id, award_number"),
    "overdue_duty": ("lot_id, duty", "lot_id, award_number, duty"),
}
"""What there is once for each award, and its key before and after."""

FOLLOWING = (*KEYED, "contract_offer", "contract")
"""What follows an award and has to say which."""

MADE = (
    """
CREATE TABLE trading.award_renunciation (
    lot_id UUID NOT NULL,
    award_number INTEGER NOT NULL,
    words VARCHAR NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    renounced_by UUID NOT NULL,
    renounced_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_award_renunciation PRIMARY KEY (lot_id, award_number),
    CONSTRAINT fk_award_renunciation_lot_id_award_number FOREIGN KEY(lot_id, award_number)
        REFERENCES trading.award (lot_id, number),
    CONSTRAINT uq_award_renunciation_digest UNIQUE (digest),
    CONSTRAINT fk_award_renunciation_renounced_by FOREIGN KEY(renounced_by)
        REFERENCES kernel.person (id)
)
    """,
    """
CREATE TABLE trading.award_annulment (
    lot_id UUID NOT NULL,
    award_number INTEGER NOT NULL,
    ground VARCHAR NOT NULL,
    article VARCHAR NOT NULL,
    words VARCHAR NOT NULL,
    evidence JSONB NOT NULL,
    found_by VARCHAR NOT NULL,
    due_on DATE,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    annulled_by UUID NOT NULL,
    annulled_at TIMESTAMP WITH TIME ZONE NOT NULL,
    entry_id UUID NOT NULL,
    CONSTRAINT pk_award_annulment PRIMARY KEY (lot_id, award_number),
    CONSTRAINT fk_award_annulment_lot_id_award_number FOREIGN KEY(lot_id, award_number)
        REFERENCES trading.award (lot_id, number),
    CONSTRAINT uq_award_annulment_digest UNIQUE (digest),
    CONSTRAINT fk_award_annulment_annulled_by FOREIGN KEY(annulled_by) REFERENCES kernel.person (id),
    CONSTRAINT uq_award_annulment_entry_id UNIQUE (entry_id)
)
    """,
    """
CREATE TABLE trading.award_vote (
    lot_id UUID NOT NULL,
    round INTEGER NOT NULL,
    award_number INTEGER NOT NULL,
    person_id UUID NOT NULL,
    member VARCHAR NOT NULL,
    bidder_id UUID NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    cast_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_award_vote PRIMARY KEY (lot_id, round, award_number, person_id),
    CONSTRAINT fk_award_vote_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT fk_award_vote_person_id FOREIGN KEY(person_id) REFERENCES kernel.person (id),
    CONSTRAINT fk_award_vote_bidder_id FOREIGN KEY(bidder_id) REFERENCES kernel.organisation (id),
    CONSTRAINT uq_award_vote_digest UNIQUE (digest)
)
    """,
)
TABLES = ("award_renunciation", "award_annulment", "award_vote")


def upgrade() -> None:
    """Number the awards, let everything after one say which, and make the tables."""
    run = op.get_bind().exec_driver_sql
    for table in FOLLOWING:
        run(f"ALTER TABLE trading.{table} DROP CONSTRAINT fk_{table}_lot_id")
    # What was there belongs to the first award, of which there was never another.
    run("ALTER TABLE trading.award ADD COLUMN number INTEGER NOT NULL DEFAULT 1")
    run("ALTER TABLE trading.award ALTER COLUMN number DROP DEFAULT")
    run(
        "ALTER TABLE trading.award DROP CONSTRAINT pk_award,"
        " ADD CONSTRAINT pk_award PRIMARY KEY (lot_id, number),"
        " ADD CONSTRAINT ck_award_numbered_from_one CHECK (number > 0)"
    )
    for table in FOLLOWING:
        run(f"ALTER TABLE trading.{table} ADD COLUMN award_number INTEGER NOT NULL DEFAULT 1")
        run(f"ALTER TABLE trading.{table} ALTER COLUMN award_number DROP DEFAULT")
        run(
            f"ALTER TABLE trading.{table} ADD CONSTRAINT fk_{table}_lot_id_award_number"
            " FOREIGN KEY (lot_id, award_number) REFERENCES trading.award (lot_id, number)"
        )
    for table, (_, key) in KEYED.items():
        run(
            f"ALTER TABLE trading.{table} DROP CONSTRAINT pk_{table},"
            f" ADD CONSTRAINT pk_{table} PRIMARY KEY ({key})"
        )
    for statement in MADE:
        run(statement)
    for table in TABLES:
        run(
            f"CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.{table}"
            " FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()"
        )
        run(
            f"CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.{table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()"
        )
        run(f"GRANT SELECT ON trading.{table} TO sunbid_app, sunbid_read, sunbid_log")
        run(f"GRANT SELECT, INSERT ON trading.{table} TO sunbid_app")
    run("INSERT INTO trading.lawful_move VALUES ('awarded', 'cleared_for_award')")


def downgrade() -> None:
    """Take it all back; only ever wanted on a test's database, where each lot has one award."""
    run = op.get_bind().exec_driver_sql
    run("ALTER TABLE trading.lawful_move DISABLE TRIGGER USER")
    run("DELETE FROM trading.lawful_move WHERE came_from = 'awarded'")
    run("ALTER TABLE trading.lawful_move ENABLE TRIGGER USER")
    for table in reversed(TABLES):
        run(f"DROP TABLE trading.{table}")
    for table, (key, _) in KEYED.items():
        run(
            f"ALTER TABLE trading.{table} DROP CONSTRAINT pk_{table},"
            f" ADD CONSTRAINT pk_{table} PRIMARY KEY ({key})"
        )
    for table in FOLLOWING:
        run(f"ALTER TABLE trading.{table} DROP CONSTRAINT fk_{table}_lot_id_award_number")
        run(f"ALTER TABLE trading.{table} DROP COLUMN award_number")
    run(
        "ALTER TABLE trading.award DROP CONSTRAINT pk_award, DROP COLUMN number,"
        " ADD CONSTRAINT pk_award PRIMARY KEY (lot_id)"
    )
    for table in FOLLOWING:
        run(
            f"ALTER TABLE trading.{table} ADD CONSTRAINT fk_{table}_lot_id"
            " FOREIGN KEY (lot_id) REFERENCES trading.award (lot_id)"
        )
