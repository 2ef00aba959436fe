"""Let the terms of an open lot follow its newest signed notice, and nothing else.

Revision ID: 2026_11_30_0600
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_30_0600"
down_revision = "2026_11_30_0320"
branch_labels = None
depends_on = None

AFTER = """
CREATE OR REPLACE FUNCTION trading.fix_terms() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  said jsonb;
BEGIN
  IF OLD.published_at IS NULL THEN
    RETURN NEW;
  END IF;
  IF (NEW.project_id, NEW.number, NEW.name, NEW.region_code, NEW.estimate, NEW.notice,
      NEW.officials_threshold, NEW.escrow_threshold, NEW.published_at, NEW.prequalified)
     IS DISTINCT FROM
     (OLD.project_id, OLD.number, OLD.name, OLD.region_code, OLD.estimate, OLD.notice,
      OLD.officials_threshold, OLD.escrow_threshold, OLD.published_at, OLD.prequalified) THEN
    RAISE EXCEPTION 'the terms of a published lot stand' USING ERRCODE = 'restrict_violation';
  END IF;
  IF (NEW.ceiling_price, NEW.bid_security, NEW.security_forms, NEW.scheme_digest,
      NEW.sheet_fields) IS NOT DISTINCT FROM
     (OLD.ceiling_price, OLD.bid_security, OLD.security_forms, OLD.scheme_digest,
      OLD.sheet_fields) THEN
    RETURN NEW;
  END IF;
  SELECT body->'terms' INTO said FROM trading.notice
    WHERE lot_id = NEW.id AND OLD.state = 'open' ORDER BY number DESC LIMIT 1;
  said := coalesce(said, '{}');
  IF (NEW.ceiling_price, NEW.bid_security, NEW.security_forms, NEW.scheme_digest,
      NEW.sheet_fields) IS DISTINCT FROM
     (CASE WHEN said ? 'ceiling_price' THEN (said->>'ceiling_price')::numeric
           ELSE OLD.ceiling_price END,
      CASE WHEN said ? 'bid_security' THEN (said->>'bid_security')::numeric
           ELSE OLD.bid_security END,
      coalesce(said->'security_forms', OLD.security_forms),
      CASE WHEN said ? 'scheme'
           THEN decode(translate(said->>'scheme', '-_', '+/') || '=', 'base64')
           ELSE OLD.scheme_digest END,
      coalesce(said->'sheet_fields', OLD.sheet_fields)) THEN
    RAISE EXCEPTION 'the terms of a published lot stand, but for what its newest notice changes'
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$
"""

BEFORE = """
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
"""


def upgrade() -> None:
    """Let a notice change them."""
    op.get_bind().exec_driver_sql(AFTER)


def downgrade() -> None:
    """Let them stand again; only ever wanted on a test's database."""
    op.get_bind().exec_driver_sql(BEFORE)
