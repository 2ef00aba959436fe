"""Let listings (挂牌竞价) be announced, bid for and dealt.

Revision ID: 2026_11_29_1840
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_29_1840"
down_revision = "2026_11_23_1200"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
CREATE TABLE trading.listing (
    id UUID NOT NULL,
    code VARCHAR NOT NULL,
    title VARCHAR NOT NULL,
    asset VARCHAR NOT NULL,
    region_code VARCHAR NOT NULL,
    words VARCHAR NOT NULL,
    seller_id UUID NOT NULL,
    announced_by UUID NOT NULL,
    published_at TIMESTAMP WITH TIME ZONE NOT NULL,
    register_until TIMESTAMP WITH TIME ZONE NOT NULL,
    starts_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ends_at TIMESTAMP WITH TIME ZONE NOT NULL,
    starting_price NUMERIC(18, 2) NOT NULL,
    step NUMERIC(18, 2) NOT NULL,
    security NUMERIC(18, 2) NOT NULL,
    asking_s INTEGER NOT NULL,
    countdown_s INTEGER NOT NULL,
    reserve_commitment BYTEA,
    cautions JSONB NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    phase VARCHAR NOT NULL,
    phase_ends_at TIMESTAMP WITH TIME ZONE,
    due_at TIMESTAMP WITH TIME ZONE,
    ended_at TIMESTAMP WITH TIME ZONE,
    winner_id UUID,
    price NUMERIC(18, 2),
    why VARCHAR NOT NULL,
    CONSTRAINT pk_listing PRIMARY KEY (id),
    CONSTRAINT ck_listing_prices_are_positive CHECK (starting_price > 0 AND step > 0),
    CONSTRAINT uq_listing_code UNIQUE (code),
    CONSTRAINT fk_listing_seller_id FOREIGN KEY(seller_id) REFERENCES kernel.organisation (id),
    CONSTRAINT fk_listing_announced_by FOREIGN KEY(announced_by) REFERENCES kernel.person (id),
    CONSTRAINT uq_listing_digest UNIQUE (digest),
    CONSTRAINT fk_listing_winner_id FOREIGN KEY(winner_id) REFERENCES kernel.organisation (id)
)
    """,
    "CREATE INDEX ix_listing_due_at ON trading.listing (due_at)",
    "CREATE INDEX ix_listing_seller_id ON trading.listing (seller_id)",
    "CREATE INDEX ix_listing_winner_id ON trading.listing (winner_id)",
    """
CREATE TABLE trading.listing_reserve (
    listing_id UUID NOT NULL,
    reserve NUMERIC(18, 2) NOT NULL,
    nonce BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    CONSTRAINT pk_listing_reserve PRIMARY KEY (listing_id),
    CONSTRAINT fk_listing_reserve_listing_id FOREIGN KEY(listing_id) REFERENCES trading.listing (id)
)
    """,
    """
CREATE TABLE trading.listing_bidder (
    listing_id UUID NOT NULL,
    bidder_id UUID NOT NULL,
    number INTEGER NOT NULL,
    person_id UUID NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    registered_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_listing_bidder PRIMARY KEY (listing_id, bidder_id),
    CONSTRAINT uq_listing_bidder_listing_id_number UNIQUE (listing_id, number),
    CONSTRAINT fk_listing_bidder_listing_id FOREIGN KEY(listing_id) REFERENCES trading.listing (id),
    CONSTRAINT fk_listing_bidder_bidder_id FOREIGN KEY(bidder_id) REFERENCES kernel.organisation (id),
    CONSTRAINT fk_listing_bidder_person_id FOREIGN KEY(person_id) REFERENCES kernel.person (id),
    CONSTRAINT uq_listing_bidder_digest UNIQUE (digest)
)
    """,
    "CREATE INDEX ix_listing_bidder_bidder_id ON trading.listing_bidder (bidder_id)",
    """
CREATE TABLE trading.listing_admission (
    listing_id UUID NOT NULL,
    bidder_id UUID NOT NULL,
    paid NUMERIC(18, 2) NOT NULL,
    arrived_at TIMESTAMP WITH TIME ZONE NOT NULL,
    reference VARCHAR NOT NULL,
    admitted_by UUID NOT NULL,
    admitted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_listing_admission PRIMARY KEY (listing_id, bidder_id),
    CONSTRAINT fk_listing_admission_listing_id FOREIGN KEY(listing_id) REFERENCES trading.listing (id),
    CONSTRAINT fk_listing_admission_bidder_id FOREIGN KEY(bidder_id) REFERENCES kernel.organisation (id),
    CONSTRAINT fk_listing_admission_admitted_by FOREIGN KEY(admitted_by) REFERENCES kernel.person (id)
)
    """,
    """
CREATE TABLE trading.listing_quote (
    listing_id UUID NOT NULL,
    number INTEGER NOT NULL,
    bidder_id UUID NOT NULL,
    person_id UUID NOT NULL,
    price NUMERIC(18, 2) NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    phase VARCHAR NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    CONSTRAINT pk_listing_quote PRIMARY KEY (listing_id, number),
    CONSTRAINT uq_listing_quote_listing_id_price UNIQUE (listing_id, price),
    CONSTRAINT fk_listing_quote_listing_id FOREIGN KEY(listing_id) REFERENCES trading.listing (id),
    CONSTRAINT fk_listing_quote_bidder_id FOREIGN KEY(bidder_id) REFERENCES kernel.organisation (id),
    CONSTRAINT fk_listing_quote_person_id FOREIGN KEY(person_id) REFERENCES kernel.person (id),
    CONSTRAINT uq_listing_quote_digest UNIQUE (digest)
)
    """,
    """
CREATE TABLE trading.listing_going_on (
    listing_id UUID NOT NULL,
    bidder_id UUID NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    said_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_listing_going_on PRIMARY KEY (listing_id, bidder_id),
    CONSTRAINT fk_listing_going_on_listing_id FOREIGN KEY(listing_id) REFERENCES trading.listing (id),
    CONSTRAINT fk_listing_going_on_bidder_id FOREIGN KEY(bidder_id) REFERENCES kernel.organisation (id),
    CONSTRAINT uq_listing_going_on_digest UNIQUE (digest)
)
    """,
    """
CREATE TABLE trading.listing_deal (
    listing_id UUID NOT NULL,
    side VARCHAR NOT NULL,
    person_id UUID NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    signed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_listing_deal PRIMARY KEY (listing_id, side),
    CONSTRAINT fk_listing_deal_listing_id FOREIGN KEY(listing_id) REFERENCES trading.listing (id),
    CONSTRAINT fk_listing_deal_person_id FOREIGN KEY(person_id) REFERENCES kernel.person (id),
    CONSTRAINT uq_listing_deal_digest UNIQUE (digest)
)
    """,
    "GRANT SELECT ON trading.listing TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON trading.listing TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.listing_reserve FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.listing_reserve FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT, INSERT ON trading.listing_reserve TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.listing_bidder FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.listing_bidder FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.listing_bidder TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.listing_bidder TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.listing_admission FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.listing_admission FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.listing_admission TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.listing_admission TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.listing_quote FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.listing_quote FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.listing_quote TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.listing_quote TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.listing_going_on FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.listing_going_on FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.listing_going_on TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.listing_going_on TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.listing_deal FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.listing_deal FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.listing_deal TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.listing_deal TO sunbid_app",
    """
CREATE FUNCTION trading.check_listing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.id, NEW.code, NEW.title, NEW.asset, NEW.region_code, NEW.words, NEW.seller_id,
      NEW.published_at, NEW.register_until, NEW.starts_at, NEW.ends_at, NEW.starting_price,
      NEW.step, NEW.security, NEW.asking_s, NEW.countdown_s, NEW.reserve_commitment, NEW.digest,
      NEW.statement) IS DISTINCT FROM
     (OLD.id, OLD.code, OLD.title, OLD.asset, OLD.region_code, OLD.words, OLD.seller_id,
      OLD.published_at, OLD.register_until, OLD.starts_at, OLD.ends_at, OLD.starting_price,
      OLD.step, OLD.security, OLD.asking_s, OLD.countdown_s, OLD.reserve_commitment, OLD.digest,
      OLD.statement) THEN
    RAISE EXCEPTION 'the terms of a listing stand' USING ERRCODE = 'restrict_violation';
  END IF;
  IF OLD.phase IN ('sold', 'unsold') THEN
    RAISE EXCEPTION 'a listing that has ended stands' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$
    """,
    "CREATE TRIGGER fixed_listing BEFORE UPDATE ON trading.listing FOR EACH ROW EXECUTE FUNCTION trading.check_listing()",
    """
CREATE FUNCTION trading.check_quote() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  listed trading.listing;
  last trading.listing_quote;
BEGIN
  SELECT * INTO listed FROM trading.listing WHERE id = NEW.listing_id;
  SELECT * INTO last FROM trading.listing_quote WHERE listing_id = NEW.listing_id
    ORDER BY number DESC LIMIT 1;
  IF listed.phase NOT IN ('listed', 'bidding') THEN
    RAISE EXCEPTION 'the listing takes no price now' USING ERRCODE = 'restrict_violation';
  END IF;
  IF NEW.number <> coalesce(last.number, 0) + 1
     OR NEW.price < coalesce(last.price + listed.step, listed.starting_price) THEN
    RAISE EXCEPTION 'a price is above the last by a step' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$
    """,
    "CREATE TRIGGER rising_price BEFORE INSERT ON trading.listing_quote FOR EACH ROW EXECUTE FUNCTION trading.check_quote()",
)

TABLES = (
    "listing_deal",
    "listing_going_on",
    "listing_quote",
    "listing_admission",
    "listing_bidder",
    "listing_reserve",
    "listing",
)


def upgrade() -> None:
    """Make the tables of listings, with their guards."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """Take them away; only ever wanted on a test's database."""
    connection = op.get_bind()
    for table in TABLES:
        connection.exec_driver_sql(f"DROP TABLE trading.{table} CASCADE")
    connection.exec_driver_sql("DROP FUNCTION trading.check_listing CASCADE")
    connection.exec_driver_sql("DROP FUNCTION trading.check_quote CASCADE")
