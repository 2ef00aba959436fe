"""Qualify bidders beforehand: calls for applications, what was taken in, reviews and results.

Revision ID: 2026_11_29_2320
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_29_2320"
down_revision = "2026_11_29_2250"
branch_labels = None
depends_on = None

TABLES = (
    "qualification",
    "prequalification_review",
    "application_release",
    "application",
    "prequalification",
)

STATEMENTS = (
    "ALTER TABLE trading.lot ADD COLUMN prequalified BOOLEAN NOT NULL DEFAULT false",
    "ALTER TABLE trading.lot ALTER COLUMN prequalified DROP DEFAULT",
    """
CREATE TABLE trading.prequalification (
    lot_id UUID NOT NULL,
    round INTEGER NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    name VARCHAR NOT NULL,
    documents JSONB NOT NULL,
    conditions JSONB NOT NULL,
    published_at TIMESTAMP WITH TIME ZONE NOT NULL,
    documents_until TIMESTAMP WITH TIME ZONE NOT NULL,
    applications_due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    window_until TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_prequalification PRIMARY KEY (lot_id, round),
    CONSTRAINT ck_prequalification_numbered_from_one CHECK (round > 0),
    CONSTRAINT ck_prequalification_window_after_deadline CHECK (applications_due_at < window_until),
    CONSTRAINT fk_prequalification_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT uq_prequalification_digest UNIQUE (digest)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.prequalification FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.prequalification FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.prequalification TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.prequalification TO sunbid_app",
    """
CREATE TABLE trading.application (
    id UUID NOT NULL,
    lot_id UUID NOT NULL,
    round INTEGER NOT NULL,
    applicant_id UUID NOT NULL,
    person_id UUID NOT NULL,
    seq INTEGER NOT NULL,
    withdrawn BOOLEAN NOT NULL,
    upload_id UUID,
    head BYTEA NOT NULL,
    header BYTEA NOT NULL,
    payload_root BYTEA NOT NULL,
    payload_size BIGINT NOT NULL,
    payload_sha256 BYTEA NOT NULL,
    parts BYTEA[] NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    entry_id UUID NOT NULL,
    CONSTRAINT pk_application PRIMARY KEY (id),
    CONSTRAINT uq_application_lot_id_round_applicant_id_seq UNIQUE (lot_id, round, applicant_id, seq),
    CONSTRAINT ck_application_numbered_from_one CHECK (seq > 0),
    CONSTRAINT fk_application_lot_id_round FOREIGN KEY(lot_id, round) REFERENCES trading.prequalification (lot_id, round),
    CONSTRAINT fk_application_applicant_id FOREIGN KEY(applicant_id) REFERENCES kernel.organisation (id),
    CONSTRAINT fk_application_person_id FOREIGN KEY(person_id) REFERENCES kernel.person (id),
    CONSTRAINT fk_application_upload_id FOREIGN KEY(upload_id) REFERENCES trading.upload (id),
    CONSTRAINT uq_application_digest UNIQUE (digest),
    CONSTRAINT uq_application_entry_id UNIQUE (entry_id)
)
    """,
    "CREATE INDEX ix_application_upload_id ON trading.application (upload_id)",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.application FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.application FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.application TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.application TO sunbid_app",
    """
CREATE TABLE trading.application_release (
    application_id UUID NOT NULL,
    secret BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    released_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_application_release PRIMARY KEY (application_id),
    CONSTRAINT fk_application_release_application_id FOREIGN KEY(application_id) REFERENCES trading.application (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.application_release FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.application_release FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.application_release TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.application_release TO sunbid_app",
    """
CREATE TABLE trading.prequalification_review (
    lot_id UUID NOT NULL,
    round INTEGER NOT NULL,
    enough BOOLEAN NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    reviewed_by UUID NOT NULL,
    reviewed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_prequalification_review PRIMARY KEY (lot_id, round),
    CONSTRAINT fk_prequalification_review_lot_id_round FOREIGN KEY(lot_id, round) REFERENCES trading.prequalification (lot_id, round),
    CONSTRAINT uq_prequalification_review_digest UNIQUE (digest),
    CONSTRAINT fk_prequalification_review_reviewed_by FOREIGN KEY(reviewed_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.prequalification_review FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.prequalification_review FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.prequalification_review TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.prequalification_review TO sunbid_app",
    """
CREATE TABLE trading.qualification (
    lot_id UUID NOT NULL,
    round INTEGER NOT NULL,
    applicant_id UUID NOT NULL,
    application_id UUID NOT NULL,
    passed BOOLEAN NOT NULL,
    reasons JSONB NOT NULL,
    members JSONB NOT NULL,
    CONSTRAINT pk_qualification PRIMARY KEY (lot_id, round, applicant_id),
    CONSTRAINT fk_qualification_lot_id_round FOREIGN KEY(lot_id, round) REFERENCES trading.prequalification (lot_id, round),
    CONSTRAINT fk_qualification_applicant_id FOREIGN KEY(applicant_id) REFERENCES kernel.organisation (id),
    CONSTRAINT uq_qualification_application_id UNIQUE (application_id),
    CONSTRAINT fk_qualification_application_id FOREIGN KEY(application_id) REFERENCES trading.application (id)
)
    """,
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.qualification FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.qualification FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.qualification TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.qualification TO sunbid_app",
    """
CREATE OR REPLACE FUNCTION trading.fix_terms() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.published_at IS NOT NULL AND
     (NEW.project_id, NEW.number, NEW.name, NEW.region_code, NEW.estimate, NEW.ceiling_price,
      NEW.bid_security, NEW.security_forms, NEW.scheme_digest, NEW.sheet_fields,
      NEW.notice, NEW.officials_threshold,
      NEW.escrow_threshold, NEW.published_at, NEW.prequalified) IS DISTINCT FROM
     (OLD.project_id, OLD.number, OLD.name, OLD.region_code, OLD.estimate, OLD.ceiling_price,
      OLD.bid_security, OLD.security_forms, OLD.scheme_digest, OLD.sheet_fields,
      OLD.notice, OLD.officials_threshold,
      OLD.escrow_threshold, OLD.published_at, OLD.prequalified) THEN
    RAISE EXCEPTION 'the terms of a published lot stand' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$
    """,
    """
CREATE OR REPLACE FUNCTION trading.keep_sealed_parts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' OR EXISTS (
      SELECT 1 FROM trading.bid b JOIN trading.bid_envelope e ON e.bid_id = b.id
      WHERE b.lot_id = OLD.lot_id AND b.bidder_id = OLD.bidder_id
        AND OLD.digest = ANY(e.parts)) OR EXISTS (
      SELECT 1 FROM trading.application a
      WHERE a.lot_id = OLD.lot_id AND a.applicant_id = OLD.bidder_id
        AND OLD.digest = ANY(a.parts)) THEN
    RAISE EXCEPTION 'a part that a bid refers to stays' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN OLD;
END $$
    """,
    """
CREATE FUNCTION trading.check_application() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM trading.prequalification WHERE lot_id = NEW.lot_id
                 AND round = NEW.round AND NEW.received_at < applications_due_at) THEN
    RAISE EXCEPTION 'no application is taken in at %', NEW.received_at
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$
    """,
    "CREATE TRIGGER in_time BEFORE INSERT ON trading.application FOR EACH ROW EXECUTE FUNCTION trading.check_application()",
)

BEFORE = (
    """
CREATE OR REPLACE FUNCTION trading.fix_terms() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.published_at IS NOT NULL AND
     (NEW.project_id, NEW.number, NEW.name, NEW.region_code, NEW.estimate, NEW.ceiling_price,
      NEW.bid_security, NEW.security_forms, NEW.scheme_digest, NEW.sheet_fields,
      NEW.notice, NEW.officials_threshold,
      NEW.escrow_threshold, NEW.published_at) IS DISTINCT FROM
     (OLD.project_id, OLD.number, OLD.name, OLD.region_code, OLD.estimate, OLD.ceiling_price,
      OLD.bid_security, OLD.security_forms, OLD.scheme_digest, OLD.sheet_fields,
      OLD.notice, OLD.officials_threshold,
      OLD.escrow_threshold, OLD.published_at) THEN
    RAISE EXCEPTION 'the terms of a published lot stand' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$
    """,
    """
CREATE OR REPLACE FUNCTION trading.keep_sealed_parts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' OR EXISTS (
      SELECT 1 FROM trading.bid b JOIN trading.bid_envelope e ON e.bid_id = b.id
      WHERE b.lot_id = OLD.lot_id AND b.bidder_id = OLD.bidder_id
        AND OLD.digest = ANY(e.parts)) THEN
    RAISE EXCEPTION 'a part that a bid refers to stays' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN OLD;
END $$
    """,
)


def upgrade() -> None:
    """Make the tables of a prequalification, and let lots be qualified for."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """Take them away again; only ever wanted on a test's database."""
    connection = op.get_bind()
    for statement in BEFORE:
        connection.exec_driver_sql(statement)
    for name in TABLES:
        connection.exec_driver_sql(f"DROP TABLE trading.{name}")
    connection.exec_driver_sql("DROP FUNCTION trading.check_application()")
    connection.exec_driver_sql("ALTER TABLE trading.lot DROP COLUMN prequalified")
