"""Keep talks with suppliers, and their last prices sealed until the deadline.

Revision ID: 2026_11_30_0300
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_30_0300"
down_revision = "2026_11_30_0200"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
CREATE TABLE trading.talk (
    id UUID NOT NULL,
    lot_id UUID NOT NULL,
    bidder_id UUID NOT NULL,
    turn INTEGER NOT NULL,
    words VARCHAR NOT NULL,
    held_by UUID NOT NULL,
    held_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_talk PRIMARY KEY (id),
    CONSTRAINT uq_talk_lot_id_bidder_id_turn UNIQUE (lot_id, bidder_id, turn),
    CONSTRAINT ck_talk_turns_from_one CHECK (turn > 0),
    CONSTRAINT fk_talk_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT fk_talk_bidder_id FOREIGN KEY(bidder_id) REFERENCES kernel.organisation (id),
    CONSTRAINT fk_talk_held_by FOREIGN KEY(held_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.talk FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.talk FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.talk TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.talk TO sunbid_app",
    """
CREATE TABLE trading.talk_answer (
    talk_id UUID NOT NULL,
    words VARCHAR NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    answered_by UUID NOT NULL,
    answered_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_talk_answer PRIMARY KEY (talk_id),
    CONSTRAINT fk_talk_answer_talk_id FOREIGN KEY(talk_id) REFERENCES trading.talk (id),
    CONSTRAINT uq_talk_answer_digest UNIQUE (digest),
    CONSTRAINT fk_talk_answer_answered_by FOREIGN KEY(answered_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.talk_answer FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.talk_answer FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.talk_answer TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.talk_answer TO sunbid_app",
    """
CREATE TABLE trading.demand_change (
    lot_id UUID NOT NULL,
    number INTEGER NOT NULL,
    words VARCHAR NOT NULL,
    confirmed_by UUID NOT NULL,
    confirmed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_demand_change PRIMARY KEY (lot_id, number),
    CONSTRAINT ck_demand_change_numbered_from_one CHECK (number > 0),
    CONSTRAINT fk_demand_change_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT fk_demand_change_confirmed_by FOREIGN KEY(confirmed_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.demand_change FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.demand_change FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.demand_change TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.demand_change TO sunbid_app",
    """
CREATE TABLE trading.talk_leave (
    lot_id UUID NOT NULL,
    bidder_id UUID NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    left_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_talk_leave PRIMARY KEY (lot_id, bidder_id),
    CONSTRAINT fk_talk_leave_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT fk_talk_leave_bidder_id FOREIGN KEY(bidder_id) REFERENCES kernel.organisation (id),
    CONSTRAINT uq_talk_leave_digest UNIQUE (digest)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.talk_leave FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.talk_leave FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.talk_leave TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.talk_leave TO sunbid_app",
    """
CREATE TABLE trading.last_price_call (
    lot_id UUID NOT NULL,
    asked JSONB NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    window_until TIMESTAMP WITH TIME ZONE NOT NULL,
    called_by UUID NOT NULL,
    called_at TIMESTAMP WITH TIME ZONE NOT NULL,
    cautions JSONB NOT NULL,
    entry_id UUID NOT NULL,
    CONSTRAINT pk_last_price_call PRIMARY KEY (lot_id),
    CONSTRAINT ck_last_price_call_in_order CHECK (called_at < due_at AND due_at < window_until),
    CONSTRAINT fk_last_price_call_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT fk_last_price_call_called_by FOREIGN KEY(called_by) REFERENCES kernel.person (id),
    CONSTRAINT uq_last_price_call_entry_id UNIQUE (entry_id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.last_price_call FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.last_price_call FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.last_price_call TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.last_price_call TO sunbid_app",
    """
CREATE TABLE trading.last_price (
    lot_id UUID NOT NULL,
    bidder_id UUID NOT NULL,
    seq INTEGER NOT NULL,
    commitment BYTEA NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    keyid VARCHAR NOT NULL,
    public_key BYTEA NOT NULL,
    handed_in_at TIMESTAMP WITH TIME ZONE NOT NULL,
    entry_id UUID NOT NULL,
    CONSTRAINT pk_last_price PRIMARY KEY (lot_id, bidder_id, seq),
    CONSTRAINT ck_last_price_numbered_from_one CHECK (seq > 0),
    CONSTRAINT fk_last_price_lot_id FOREIGN KEY(lot_id) REFERENCES trading.last_price_call (lot_id),
    CONSTRAINT fk_last_price_bidder_id FOREIGN KEY(bidder_id) REFERENCES kernel.organisation (id),
    CONSTRAINT uq_last_price_digest UNIQUE (digest),
    CONSTRAINT uq_last_price_entry_id UNIQUE (entry_id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.last_price FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.last_price FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.last_price TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.last_price TO sunbid_app",
    """
CREATE TABLE trading.last_price_opening (
    lot_id UUID NOT NULL,
    bidder_id UUID NOT NULL,
    seq INTEGER NOT NULL,
    price NUMERIC(18, 2) NOT NULL,
    salt BYTEA NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    keyid VARCHAR NOT NULL,
    public_key BYTEA NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_last_price_opening PRIMARY KEY (lot_id, bidder_id),
    CONSTRAINT ck_last_price_opening_more_than_nothing CHECK (price > 0),
    CONSTRAINT fk_last_price_opening_lot_id FOREIGN KEY(lot_id) REFERENCES trading.last_price_call (lot_id),
    CONSTRAINT fk_last_price_opening_bidder_id FOREIGN KEY(bidder_id) REFERENCES kernel.organisation (id),
    CONSTRAINT uq_last_price_opening_digest UNIQUE (digest)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.last_price_opening FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.last_price_opening FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.last_price_opening TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.last_price_opening TO sunbid_app",
)

TABLES = (
    "last_price_opening",
    "last_price",
    "last_price_call",
    "talk_leave",
    "demand_change",
    "talk_answer",
    "talk",
)


def upgrade() -> None:
    """Make the tables."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """Take them away again; only ever wanted on a test's database."""
    connection = op.get_bind()
    for name in TABLES:
        connection.exec_driver_sql(f"DROP TABLE trading.{name}")
