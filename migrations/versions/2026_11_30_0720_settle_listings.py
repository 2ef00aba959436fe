"""Let listings be suspended, ended early, entrusted and listed again, and their securities settled.

Revision ID: 2026_11_30_0720
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_30_0720"
down_revision = "2026_11_30_0620"
branch_labels = None
depends_on = None

TABLES = (
    """
CREATE TABLE trading.listing_account (
    listing_id UUID NOT NULL,
    bidder_id UUID NOT NULL,
    reference VARCHAR NOT NULL,
    given_to UUID NOT NULL,
    given_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_listing_account PRIMARY KEY (listing_id, bidder_id),
    CONSTRAINT fk_listing_account_listing_id FOREIGN KEY(listing_id) REFERENCES trading.listing (id),
    CONSTRAINT fk_listing_account_bidder_id FOREIGN KEY(bidder_id) REFERENCES kernel.organisation (id),
    CONSTRAINT uq_listing_account_reference UNIQUE (reference),
    CONSTRAINT fk_listing_account_given_to FOREIGN KEY(given_to) REFERENCES kernel.person (id)
)
    """,
    """
CREATE TABLE trading.listing_return (
    id UUID NOT NULL,
    listing_id UUID NOT NULL,
    bidder_id UUID NOT NULL,
    cause VARCHAR NOT NULL,
    principal NUMERIC(18, 2) NOT NULL,
    serial VARCHAR NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE,
    late BOOLEAN NOT NULL,
    returned_at TIMESTAMP WITH TIME ZONE NOT NULL,
    recorded_by UUID NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_listing_return PRIMARY KEY (id),
    CONSTRAINT ck_listing_return_something_went_back CHECK (principal > 0),
    CONSTRAINT fk_listing_return_listing_id FOREIGN KEY(listing_id) REFERENCES trading.listing (id),
    CONSTRAINT fk_listing_return_bidder_id FOREIGN KEY(bidder_id) REFERENCES kernel.organisation (id),
    CONSTRAINT fk_listing_return_recorded_by FOREIGN KEY(recorded_by) REFERENCES kernel.person (id)
)
    """,
    """
CREATE TABLE trading.listing_keeping (
    listing_id UUID NOT NULL,
    bidder_id UUID NOT NULL,
    article VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    amount NUMERIC(18, 2) NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    decided_by UUID NOT NULL,
    decided_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_listing_keeping PRIMARY KEY (listing_id),
    CONSTRAINT ck_listing_keeping_amount_makes_sense CHECK (amount >= 0),
    CONSTRAINT fk_listing_keeping_listing_id FOREIGN KEY(listing_id) REFERENCES trading.listing (id),
    CONSTRAINT fk_listing_keeping_bidder_id FOREIGN KEY(bidder_id) REFERENCES kernel.organisation (id),
    CONSTRAINT uq_listing_keeping_digest UNIQUE (digest),
    CONSTRAINT fk_listing_keeping_decided_by FOREIGN KEY(decided_by) REFERENCES kernel.person (id)
)
    """,
    """
CREATE TABLE trading.listing_alarm (
    listing_id UUID NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    alarmed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_listing_alarm PRIMARY KEY (listing_id, due_at),
    CONSTRAINT fk_listing_alarm_listing_id FOREIGN KEY(listing_id) REFERENCES trading.listing (id)
)
    """,
    """
CREATE TABLE trading.listing_order (
    listing_id UUID NOT NULL,
    number INTEGER NOT NULL,
    kind VARCHAR NOT NULL,
    ground VARCHAR NOT NULL,
    basis VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    by_supervisor BOOLEAN NOT NULL,
    party_id UUID NOT NULL,
    person_id UUID NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    ordered_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_listing_order PRIMARY KEY (listing_id, number),
    CONSTRAINT fk_listing_order_listing_id FOREIGN KEY(listing_id) REFERENCES trading.listing (id),
    CONSTRAINT fk_listing_order_party_id FOREIGN KEY(party_id) REFERENCES kernel.organisation (id),
    CONSTRAINT fk_listing_order_person_id FOREIGN KEY(person_id) REFERENCES kernel.person (id),
    CONSTRAINT uq_listing_order_digest UNIQUE (digest)
)
    """,
    """
CREATE TABLE trading.listing_letter (
    id UUID NOT NULL,
    seller_id UUID NOT NULL,
    code VARCHAR NOT NULL,
    number INTEGER NOT NULL,
    agency_id UUID NOT NULL,
    acts TEXT[] NOT NULL,
    last_day DATE,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    signed_by UUID NOT NULL,
    signed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_listing_letter PRIMARY KEY (id),
    CONSTRAINT uq_listing_letter_seller_id_code_number UNIQUE (seller_id, code, number),
    CONSTRAINT fk_listing_letter_seller_id FOREIGN KEY(seller_id) REFERENCES kernel.organisation (id),
    CONSTRAINT fk_listing_letter_agency_id FOREIGN KEY(agency_id) REFERENCES kernel.organisation (id),
    CONSTRAINT uq_listing_letter_digest UNIQUE (digest),
    CONSTRAINT fk_listing_letter_signed_by FOREIGN KEY(signed_by) REFERENCES kernel.person (id)
)
    """,
    """
CREATE TABLE trading.listing_letter_end (
    letter_id UUID NOT NULL,
    reason VARCHAR NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    ended_by UUID NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_listing_letter_end PRIMARY KEY (letter_id),
    CONSTRAINT fk_listing_letter_end_letter_id FOREIGN KEY(letter_id) REFERENCES trading.listing_letter (id),
    CONSTRAINT uq_listing_letter_end_digest UNIQUE (digest),
    CONSTRAINT fk_listing_letter_end_ended_by FOREIGN KEY(ended_by) REFERENCES kernel.person (id)
)
    """,
)
NAMES = (
    "listing_account",
    "listing_return",
    "listing_keeping",
    "listing_alarm",
    "listing_order",
    "listing_letter",
    "listing_letter_end",
)
GUARDS = tuple(
    statement.format(table=table)
    for table in NAMES
    for statement in (
        "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.{table} FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
        "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.{table} FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
        "GRANT SELECT ON trading.{table} TO sunbid_app, sunbid_read, sunbid_log",
        "GRANT SELECT, INSERT ON trading.{table} TO sunbid_app",
    )
)

CHECK_LISTING = """
CREATE OR REPLACE FUNCTION trading.check_listing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.id, NEW.code, NEW.title, NEW.asset, NEW.region_code, NEW.words, NEW.seller_id,
      NEW.published_at, NEW.register_until, NEW.starts_at, NEW.ends_at, NEW.starting_price,
      NEW.step, NEW.security, NEW.asking_s, NEW.countdown_s, NEW.reserve_commitment, NEW.digest,
      NEW.statement{relists_new}) IS DISTINCT FROM
     (OLD.id, OLD.code, OLD.title, OLD.asset, OLD.region_code, OLD.words, OLD.seller_id,
      OLD.published_at, OLD.register_until, OLD.starts_at, OLD.ends_at, OLD.starting_price,
      OLD.step, OLD.security, OLD.asking_s, OLD.countdown_s, OLD.reserve_commitment, OLD.digest,
      OLD.statement{relists_old}) THEN
    RAISE EXCEPTION 'the terms of a listing stand' USING ERRCODE = 'restrict_violation';
  END IF;
  IF OLD.phase IN ({ends}) THEN
    RAISE EXCEPTION 'a listing that has ended stands' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$
"""

STATEMENTS = (
    "ALTER TABLE trading.listing ADD COLUMN relists UUID",
    "ALTER TABLE trading.listing ADD CONSTRAINT uq_listing_relists UNIQUE (relists)",
    "ALTER TABLE trading.listing ADD CONSTRAINT fk_listing_relists"
    " FOREIGN KEY(relists) REFERENCES trading.listing (id)",
    "ALTER TABLE trading.listing ADD COLUMN pauses JSONB NOT NULL DEFAULT '[]'",
    "ALTER TABLE trading.listing ADD COLUMN paused_at TIMESTAMP WITH TIME ZONE",
    *TABLES,
    "CREATE INDEX ix_listing_return_listing_id_bidder_id"
    " ON trading.listing_return (listing_id, bidder_id)",
    "CREATE INDEX ix_listing_letter_agency_id ON trading.listing_letter (agency_id)",
    *GUARDS,
)


def check_listing(*, relists: bool) -> str:
    """The guard of a listing's terms, with what this migration adds or as it was before."""
    return CHECK_LISTING.format(
        relists_new=", NEW.relists" if relists else "",
        relists_old=", OLD.relists" if relists else "",
        ends="'sold', 'unsold', 'terminated'" if relists else "'sold', 'unsold'",
    )


def upgrade() -> None:
    """Make the tables with their guards, and let the guard of listings know an early end."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql(check_listing(relists=True))


def downgrade() -> None:
    """Take them away; only ever wanted on a test's database."""
    connection = op.get_bind()
    connection.exec_driver_sql(check_listing(relists=False))
    for table in reversed(NAMES):
        connection.exec_driver_sql(f"DROP TABLE trading.{table}")
    for column in ("relists", "pauses", "paused_at"):
        connection.exec_driver_sql(f"ALTER TABLE trading.listing DROP COLUMN {column}")
