"""Found the house: every schema, table, function, trigger and grant of the first release.

Revision ID: 2026_11_23_1200
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_1200"
down_revision = None
branch_labels = None
depends_on = None

STATEMENTS = (
    "CREATE SCHEMA IF NOT EXISTS kernel",
    "CREATE SCHEMA IF NOT EXISTS blacklist",
    "CREATE SCHEMA IF NOT EXISTS expert_pool",
    "CREATE SCHEMA IF NOT EXISTS trading",
    "CREATE SCHEMA IF NOT EXISTS evaluation",
    """
CREATE TABLE expert_pool.draw (
    id UUID NOT NULL,
    lot_id UUID NOT NULL,
    round INTEGER NOT NULL,
    state VARCHAR NOT NULL,
    announcement BYTEA NOT NULL,
    announced_entry UUID NOT NULL,
    announced_at TIMESTAMP WITH TIME ZONE NOT NULL,
    countersigned_entry UUID,
    prk BYTEA,
    completed_entry UUID,
    completed_at TIMESTAMP WITH TIME ZONE,
    void_reason VARCHAR NOT NULL,
    voided_entry UUID,
    CONSTRAINT pk_draw PRIMARY KEY (id),
    CONSTRAINT uq_draw_lot_id_round UNIQUE (lot_id, round),
    CONSTRAINT ck_draw_rounds_count_from_one CHECK (round > 0)
)
    """,
    "CREATE INDEX ix_draw_lot_id ON expert_pool.draw (lot_id)",
    """
CREATE TABLE kernel.capacity (
    subject_id UUID NOT NULL,
    person_id UUID NOT NULL,
    role VARCHAR NOT NULL,
    party_id UUID NOT NULL,
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_capacity PRIMARY KEY (subject_id, person_id, role)
)
    """,
    """
CREATE TABLE kernel.challenge (
    nonce BYTEA NOT NULL,
    purpose VARCHAR NOT NULL,
    person_id UUID,
    keyid VARCHAR,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_challenge PRIMARY KEY (nonce)
)
    """,
    """
CREATE TABLE kernel.clock_jump (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    offset_by INTERVAL NOT NULL,
    reason VARCHAR NOT NULL,
    jumped_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_clock_jump PRIMARY KEY (id)
)
    """,
    """
CREATE TABLE kernel.document (
    digest BYTEA NOT NULL,
    size BIGINT NOT NULL,
    media_type VARCHAR NOT NULL,
    kept_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_document PRIMARY KEY (digest)
)
    """,
    """
CREATE TABLE kernel.filler_epoch (
    number BIGINT NOT NULL,
    key BYTEA NOT NULL,
    began_at TIMESTAMP WITH TIME ZONE NOT NULL,
    first_index BIGINT NOT NULL,
    end_index BIGINT,
    disclosed_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_filler_epoch PRIMARY KEY (number)
)
    """,
    """
CREATE TABLE kernel.follower (
    name VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    CONSTRAINT pk_follower PRIMARY KEY (name)
)
    """,
    """
CREATE TABLE kernel.journal (
    id UUID NOT NULL,
    kind VARCHAR NOT NULL,
    subject_id UUID NOT NULL,
    audience VARCHAR NOT NULL,
    after_close VARCHAR NOT NULL,
    seals BOOLEAN NOT NULL,
    discloses BOOLEAN NOT NULL,
    barrier BOOLEAN NOT NULL,
    receipted BOOLEAN NOT NULL,
    party_id UUID,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    record BYTEA NOT NULL,
    salt BYTEA NOT NULL,
    operator BYTEA NOT NULL,
    operator_salt BYTEA NOT NULL,
    CONSTRAINT pk_journal PRIMARY KEY (id)
)
    """,
    "CREATE INDEX ix_journal_subject_id ON kernel.journal (subject_id)",
    """
CREATE TABLE kernel.log_batch (
    size BIGINT NOT NULL,
    root BYTEA NOT NULL,
    position BIGINT NOT NULL,
    integrated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_log_batch PRIMARY KEY (size)
)
    """,
    """
CREATE TABLE kernel.log_checkpoint (
    size BIGINT NOT NULL,
    note VARCHAR NOT NULL,
    signed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_log_checkpoint PRIMARY KEY (size)
)
    """,
    """
CREATE TABLE kernel.log_cosignature (
    size BIGINT NOT NULL,
    witness VARCHAR NOT NULL,
    line VARCHAR NOT NULL,
    witnessed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_log_cosignature PRIMARY KEY (size, witness)
)
    """,
    r"""CREATE TABLE kernel.log_leaf (
    index BIGINT NOT NULL,
    data BYTEA NOT NULL,
    hash BYTEA GENERATED ALWAYS AS (sha256('\x00'::bytea || data)) STORED NOT NULL,
    CONSTRAINT pk_log_leaf PRIMARY KEY (index)
)""",
    """
CREATE TABLE kernel.log_node (
    level INTEGER NOT NULL,
    index BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    CONSTRAINT pk_log_node PRIMARY KEY (level, index)
)
    """,
    """
CREATE TABLE kernel.organisation (
    id UUID NOT NULL,
    uscc VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    region_code VARCHAR NOT NULL,
    responsible_person VARCHAR NOT NULL,
    roles TEXT[] NOT NULL,
    registered_at TIMESTAMP WITH TIME ZONE NOT NULL,
    registration_digest BYTEA NOT NULL,
    verified_at TIMESTAMP WITH TIME ZONE,
    verified_by UUID,
    CONSTRAINT pk_organisation PRIMARY KEY (id),
    CONSTRAINT uq_organisation_uscc UNIQUE (uscc)
)
    """,
    """
CREATE TABLE kernel.person (
    id UUID NOT NULL,
    name VARCHAR NOT NULL,
    identity_hash BYTEA NOT NULL,
    registered_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_person PRIMARY KEY (id),
    CONSTRAINT uq_person_identity_hash UNIQUE (identity_hash)
)
    """,
    """
CREATE TABLE kernel.platform (
    only_one BOOLEAN NOT NULL,
    demo BOOLEAN NOT NULL,
    log_origin VARCHAR NOT NULL,
    platform_key BYTEA NOT NULL,
    log_vkey VARCHAR NOT NULL,
    founded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_platform PRIMARY KEY (only_one),
    CONSTRAINT ck_platform_only_one CHECK (only_one)
)
    """,
    """
CREATE TABLE kernel.request (
    person_id UUID NOT NULL,
    key VARCHAR NOT NULL,
    body_digest BYTEA NOT NULL,
    status INTEGER NOT NULL,
    media_type VARCHAR NOT NULL,
    answer BYTEA NOT NULL,
    answered_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_request PRIMARY KEY (person_id, key)
)
    """,
    """
CREATE TABLE kernel.sealing (
    subject_id UUID NOT NULL,
    began_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_sealing PRIMARY KEY (subject_id)
)
    """,
    """
CREATE TABLE trading.lawful_move (
    came_from VARCHAR NOT NULL,
    went_to VARCHAR NOT NULL,
    CONSTRAINT pk_lawful_move PRIMARY KEY (came_from, went_to)
)
    """,
    """
CREATE TABLE blacklist.decision (
    id UUID NOT NULL,
    organisation_id UUID,
    person_id UUID,
    authority VARCHAR NOT NULL,
    document_number VARCHAR NOT NULL,
    article VARCHAR NOT NULL,
    misconduct VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    decided_on DATE NOT NULL,
    statement BYTEA NOT NULL,
    recorded_by UUID NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_decision PRIMARY KEY (id),
    CONSTRAINT ck_decision_one_subject CHECK ((organisation_id IS NULL) <> (person_id IS NULL)),
    CONSTRAINT fk_decision_organisation_id FOREIGN KEY(organisation_id) REFERENCES kernel.organisation (id),
    CONSTRAINT fk_decision_person_id FOREIGN KEY(person_id) REFERENCES kernel.person (id),
    CONSTRAINT fk_decision_recorded_by FOREIGN KEY(recorded_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE INDEX ix_decision_authority_document_number ON blacklist.decision (authority, document_number)",
    "CREATE INDEX ix_decision_organisation_id ON blacklist.decision (organisation_id)",
    "CREATE INDEX ix_decision_person_id ON blacklist.decision (person_id)",
    """
CREATE TABLE evaluation.site (
    id UUID NOT NULL,
    name VARCHAR NOT NULL,
    region_code VARCHAR NOT NULL,
    keeper_id UUID NOT NULL,
    registered_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_site PRIMARY KEY (id),
    CONSTRAINT fk_site_keeper_id FOREIGN KEY(keeper_id) REFERENCES kernel.organisation (id)
)
    """,
    "CREATE INDEX ix_site_keeper_id ON evaluation.site (keeper_id)",
    """
CREATE TABLE expert_pool.draw_party (
    draw_id UUID NOT NULL,
    name VARCHAR NOT NULL,
    party_id UUID NOT NULL,
    commitment BYTEA,
    share_key BYTEA,
    committed_entry UUID,
    dealt_entry UUID,
    nonce BYTEA,
    recovered BOOLEAN NOT NULL,
    revealed_entry UUID,
    at_fault BOOLEAN NOT NULL,
    CONSTRAINT pk_draw_party PRIMARY KEY (draw_id, name),
    CONSTRAINT uq_draw_party_draw_id_party_id UNIQUE (draw_id, party_id),
    CONSTRAINT fk_draw_party_draw_id FOREIGN KEY(draw_id) REFERENCES expert_pool.draw (id),
    CONSTRAINT fk_draw_party_party_id FOREIGN KEY(party_id) REFERENCES kernel.organisation (id)
)
    """,
    """
CREATE TABLE expert_pool.draw_statement (
    digest BYTEA NOT NULL,
    draw_id UUID NOT NULL,
    kind VARCHAR NOT NULL,
    author VARCHAR NOT NULL,
    keyid VARCHAR NOT NULL,
    public_key BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    made_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_draw_statement PRIMARY KEY (digest),
    CONSTRAINT fk_draw_statement_draw_id FOREIGN KEY(draw_id) REFERENCES expert_pool.draw (id)
)
    """,
    "CREATE INDEX ix_draw_statement_draw_id ON expert_pool.draw_statement (draw_id)",
    """
CREATE TABLE expert_pool.expert (
    id UUID NOT NULL,
    person_id UUID NOT NULL,
    pool_id UUID NOT NULL,
    region_code VARCHAR NOT NULL,
    employer VARCHAR NOT NULL,
    employer_uscc VARCHAR NOT NULL,
    specialisms TEXT[] NOT NULL,
    title VARCHAR NOT NULL,
    years INTEGER NOT NULL,
    born_on DATE NOT NULL,
    healthy BOOLEAN NOT NULL,
    enrolled_at TIMESTAMP WITH TIME ZONE NOT NULL,
    verified_at TIMESTAMP WITH TIME ZONE,
    verified_by UUID,
    left_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_expert PRIMARY KEY (id),
    CONSTRAINT uq_expert_person_id UNIQUE (person_id),
    CONSTRAINT fk_expert_person_id FOREIGN KEY(person_id) REFERENCES kernel.person (id),
    CONSTRAINT fk_expert_pool_id FOREIGN KEY(pool_id) REFERENCES kernel.organisation (id)
)
    """,
    "CREATE INDEX ix_expert_pool_id ON expert_pool.expert (pool_id)",
    "CREATE INDEX ix_expert_region_code ON expert_pool.expert (region_code)",
    """
CREATE TABLE expert_pool.nonce_share (
    draw_id UUID NOT NULL,
    dealer VARCHAR NOT NULL,
    holder VARCHAR NOT NULL,
    ciphertext BYTEA NOT NULL,
    commitment BYTEA NOT NULL,
    confirmed_at TIMESTAMP WITH TIME ZONE,
    misdealt_at TIMESTAMP WITH TIME ZONE,
    share BYTEA,
    CONSTRAINT pk_nonce_share PRIMARY KEY (draw_id, dealer, holder),
    CONSTRAINT fk_nonce_share_draw_id FOREIGN KEY(draw_id) REFERENCES expert_pool.draw (id)
)
    """,
    """
CREATE TABLE kernel.credential (
    keyid VARCHAR NOT NULL,
    person_id UUID NOT NULL,
    kind VARCHAR NOT NULL,
    public_key BYTEA NOT NULL,
    sign_count INTEGER NOT NULL,
    backed_up BOOLEAN NOT NULL,
    added_at TIMESTAMP WITH TIME ZONE NOT NULL,
    revoked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_credential PRIMARY KEY (keyid),
    CONSTRAINT fk_credential_person_id FOREIGN KEY(person_id) REFERENCES kernel.person (id)
)
    """,
    "CREATE INDEX ix_credential_person_id ON kernel.credential (person_id)",
    """
CREATE TABLE kernel.log_place (
    entry_id UUID NOT NULL,
    index BIGINT NOT NULL,
    CONSTRAINT pk_log_place PRIMARY KEY (entry_id),
    CONSTRAINT fk_log_place_entry_id FOREIGN KEY(entry_id) REFERENCES kernel.journal (id),
    CONSTRAINT uq_log_place_index UNIQUE (index)
)
    """,
    """
CREATE TABLE kernel.membership (
    id UUID NOT NULL,
    person_id UUID NOT NULL,
    party_id UUID NOT NULL,
    role VARCHAR NOT NULL,
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_membership PRIMARY KEY (id),
    CONSTRAINT uq_membership_person_id_party_id_role UNIQUE (person_id, party_id, role),
    CONSTRAINT fk_membership_person_id FOREIGN KEY(person_id) REFERENCES kernel.person (id),
    CONSTRAINT fk_membership_party_id FOREIGN KEY(party_id) REFERENCES kernel.organisation (id)
)
    """,
    "CREATE INDEX ix_membership_party_id ON kernel.membership (party_id)",
    "CREATE INDEX ix_membership_person_id ON kernel.membership (person_id)",
    """
CREATE TABLE kernel.receipt (
    entry_id UUID NOT NULL,
    proof VARCHAR NOT NULL,
    witnessed BOOLEAN NOT NULL,
    CONSTRAINT pk_receipt PRIMARY KEY (entry_id, witnessed),
    CONSTRAINT fk_receipt_entry_id FOREIGN KEY(entry_id) REFERENCES kernel.journal (id)
)
    """,
    """
CREATE TABLE kernel.sequence (
    position BIGINT NOT NULL,
    entry_id UUID NOT NULL,
    CONSTRAINT pk_sequence PRIMARY KEY (position),
    CONSTRAINT uq_sequence_entry_id UNIQUE (entry_id),
    CONSTRAINT fk_sequence_entry_id FOREIGN KEY(entry_id) REFERENCES kernel.journal (id)
)
    """,
    """
CREATE TABLE kernel.unsequenced (
    id BIGINT GENERATED ALWAYS AS IDENTITY (CACHE 1),
    entry_id UUID NOT NULL,
    CONSTRAINT pk_unsequenced PRIMARY KEY (id),
    CONSTRAINT uq_unsequenced_entry_id UNIQUE (entry_id),
    CONSTRAINT fk_unsequenced_entry_id FOREIGN KEY(entry_id) REFERENCES kernel.journal (id)
)
    """,
    """
CREATE TABLE kernel.view_entry (
    view VARCHAR NOT NULL,
    number BIGINT NOT NULL,
    entry_id UUID NOT NULL,
    CONSTRAINT pk_view_entry PRIMARY KEY (view, number),
    CONSTRAINT uq_view_entry_view_entry_id UNIQUE (view, entry_id),
    CONSTRAINT fk_view_entry_entry_id FOREIGN KEY(entry_id) REFERENCES kernel.journal (id)
)
    """,
    """
CREATE TABLE trading.project (
    id UUID NOT NULL,
    code VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    procedure VARCHAR NOT NULL,
    category VARCHAR NOT NULL,
    region_code VARCHAR NOT NULL,
    funding_source VARCHAR NOT NULL,
    state_funded BOOLEAN NOT NULL,
    tenderee_id UUID NOT NULL,
    agency_id UUID,
    authorised_at TIMESTAMP WITH TIME ZONE,
    contact JSONB NOT NULL,
    created_by UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_project PRIMARY KEY (id),
    CONSTRAINT uq_project_code UNIQUE (code),
    CONSTRAINT fk_project_tenderee_id FOREIGN KEY(tenderee_id) REFERENCES kernel.organisation (id),
    CONSTRAINT fk_project_agency_id FOREIGN KEY(agency_id) REFERENCES kernel.organisation (id),
    CONSTRAINT fk_project_created_by FOREIGN KEY(created_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE INDEX ix_project_agency_id ON trading.project (agency_id)",
    "CREATE INDEX ix_project_region_code ON trading.project (region_code)",
    "CREATE INDEX ix_project_tenderee_id ON trading.project (tenderee_id)",
    """
CREATE TABLE blacklist.bar (
    decision_id UUID NOT NULL,
    act VARCHAR NOT NULL,
    starts_on DATE NOT NULL,
    ends_on DATE,
    CONSTRAINT pk_bar PRIMARY KEY (decision_id, act),
    CONSTRAINT ck_bar_runs_forward CHECK (ends_on IS NULL OR ends_on >= starts_on),
    CONSTRAINT fk_bar_decision_id FOREIGN KEY(decision_id) REFERENCES blacklist.decision (id)
)
    """,
    """
CREATE TABLE blacklist.lift (
    decision_id UUID NOT NULL,
    authority VARCHAR NOT NULL,
    document_number VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    statement BYTEA NOT NULL,
    lifted_by UUID NOT NULL,
    lifted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_lift PRIMARY KEY (decision_id),
    CONSTRAINT fk_lift_decision_id FOREIGN KEY(decision_id) REFERENCES blacklist.decision (id),
    CONSTRAINT fk_lift_lifted_by FOREIGN KEY(lifted_by) REFERENCES kernel.person (id)
)
    """,
    """
CREATE TABLE evaluation.committee (
    id UUID NOT NULL,
    lot_id UUID NOT NULL,
    host_site_id UUID NOT NULL,
    tenderee_id UUID NOT NULL,
    agency_id UUID,
    phase VARCHAR NOT NULL,
    placement JSONB NOT NULL,
    window_from TIMESTAMP WITH TIME ZONE NOT NULL,
    window_until TIMESTAMP WITH TIME ZONE NOT NULL,
    convened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE,
    paused_at TIMESTAMP WITH TIME ZONE,
    closed_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_committee PRIMARY KEY (id),
    CONSTRAINT uq_committee_lot_id UNIQUE (lot_id),
    CONSTRAINT fk_committee_host_site_id FOREIGN KEY(host_site_id) REFERENCES evaluation.site (id),
    CONSTRAINT fk_committee_tenderee_id FOREIGN KEY(tenderee_id) REFERENCES kernel.organisation (id),
    CONSTRAINT fk_committee_agency_id FOREIGN KEY(agency_id) REFERENCES kernel.organisation (id)
)
    """,
    "CREATE INDEX ix_committee_agency_id ON evaluation.committee (agency_id)",
    "CREATE INDEX ix_committee_tenderee_id ON evaluation.committee (tenderee_id)",
    """
CREATE TABLE evaluation.seat (
    id UUID NOT NULL,
    site_id UUID NOT NULL,
    number INTEGER NOT NULL,
    keyid VARCHAR NOT NULL,
    public_key BYTEA NOT NULL,
    registered_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_seat PRIMARY KEY (id),
    CONSTRAINT uq_seat_site_id_number UNIQUE (site_id, number),
    CONSTRAINT fk_seat_site_id FOREIGN KEY(site_id) REFERENCES evaluation.site (id),
    CONSTRAINT uq_seat_keyid UNIQUE (keyid)
)
    """,
    "CREATE INDEX ix_seat_site_id ON evaluation.seat (site_id)",
    """
CREATE TABLE expert_pool.call (
    id UUID NOT NULL,
    draw_id UUID NOT NULL,
    number INTEGER NOT NULL,
    stratum VARCHAR NOT NULL,
    place INTEGER NOT NULL,
    label BYTEA NOT NULL,
    expert_id UUID NOT NULL,
    outcome VARCHAR NOT NULL,
    left_number INTEGER,
    reason VARCHAR NOT NULL,
    evidence VARCHAR NOT NULL,
    called_at TIMESTAMP WITH TIME ZONE NOT NULL,
    delivered_at TIMESTAMP WITH TIME ZONE,
    answered_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_call PRIMARY KEY (id),
    CONSTRAINT uq_call_draw_id_stratum_place UNIQUE (draw_id, stratum, place),
    CONSTRAINT uq_call_draw_id_number UNIQUE (draw_id, number),
    CONSTRAINT uq_call_draw_id_left_number UNIQUE (draw_id, left_number),
    CONSTRAINT fk_call_draw_id FOREIGN KEY(draw_id) REFERENCES expert_pool.draw (id),
    CONSTRAINT fk_call_expert_id FOREIGN KEY(expert_id) REFERENCES expert_pool.expert (id)
)
    """,
    "CREATE INDEX ix_call_draw_id ON expert_pool.call (draw_id)",
    "CREATE INDEX ix_call_expert_id ON expert_pool.call (expert_id)",
    """
CREATE TABLE expert_pool.draw_label (
    draw_id UUID NOT NULL,
    expert_id UUID NOT NULL,
    label BYTEA NOT NULL,
    salt BYTEA NOT NULL,
    strata TEXT[] NOT NULL,
    grounds TEXT[] NOT NULL,
    eligibility_salt BYTEA NOT NULL,
    CONSTRAINT pk_draw_label PRIMARY KEY (draw_id, expert_id),
    CONSTRAINT uq_draw_label_draw_id_label UNIQUE (draw_id, label),
    CONSTRAINT fk_draw_label_draw_id FOREIGN KEY(draw_id) REFERENCES expert_pool.draw (id),
    CONSTRAINT fk_draw_label_expert_id FOREIGN KEY(expert_id) REFERENCES expert_pool.expert (id)
)
    """,
    """
CREATE TABLE expert_pool.expert_tie (
    id UUID NOT NULL,
    expert_id UUID NOT NULL,
    uscc VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    ended_on DATE,
    declared_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_expert_tie PRIMARY KEY (id),
    CONSTRAINT fk_expert_tie_expert_id FOREIGN KEY(expert_id) REFERENCES expert_pool.expert (id)
)
    """,
    "CREATE INDEX ix_expert_tie_expert_id ON expert_pool.expert_tie (expert_id)",
    "CREATE INDEX ix_expert_tie_uscc ON expert_pool.expert_tie (uscc)",
    """
CREATE TABLE kernel.session (
    id UUID NOT NULL,
    token_hash BYTEA NOT NULL,
    person_id UUID NOT NULL,
    party_id UUID NOT NULL,
    role VARCHAR NOT NULL,
    keyid VARCHAR,
    begun_at TIMESTAMP WITH TIME ZONE NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_session PRIMARY KEY (id),
    CONSTRAINT uq_session_token_hash UNIQUE (token_hash),
    CONSTRAINT fk_session_person_id FOREIGN KEY(person_id) REFERENCES kernel.person (id),
    CONSTRAINT fk_session_party_id FOREIGN KEY(party_id) REFERENCES kernel.organisation (id),
    CONSTRAINT fk_session_keyid FOREIGN KEY(keyid) REFERENCES kernel.credential (keyid)
)
    """,
    "CREATE INDEX ix_session_keyid ON kernel.session (keyid)",
    "CREATE INDEX ix_session_person_id ON kernel.session (person_id)",
    """
CREATE TABLE trading.lot (
    id UUID NOT NULL,
    project_id UUID NOT NULL,
    number INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    path TEXT[] NOT NULL,
    suspended BOOLEAN NOT NULL,
    brakes JSONB NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE,
    region_code VARCHAR NOT NULL,
    estimate NUMERIC(18, 2) NOT NULL,
    ceiling_price NUMERIC(18, 2),
    bid_security NUMERIC(18, 2) NOT NULL,
    security_forms JSONB NOT NULL,
    scheme_digest BYTEA,
    sheet_fields JSONB NOT NULL,
    notice JSONB NOT NULL,
    plan JSONB NOT NULL,
    officials_threshold INTEGER NOT NULL,
    escrow_threshold INTEGER,
    policy_version INTEGER NOT NULL,
    timetable_version INTEGER NOT NULL,
    documents_from TIMESTAMP WITH TIME ZONE,
    documents_until TIMESTAMP WITH TIME ZONE,
    bids_due_at TIMESTAMP WITH TIME ZONE,
    release_window_s INTEGER NOT NULL,
    publicity_days INTEGER NOT NULL,
    validity_days INTEGER NOT NULL,
    release_until TIMESTAMP WITH TIME ZONE,
    candidates_until TIMESTAMP WITH TIME ZONE,
    created_by UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    published_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_lot PRIMARY KEY (id),
    CONSTRAINT uq_lot_project_id_number UNIQUE (project_id, number),
    CONSTRAINT ck_lot_numbered_from_one CHECK (number > 0),
    CONSTRAINT fk_lot_project_id FOREIGN KEY(project_id) REFERENCES trading.project (id),
    CONSTRAINT fk_lot_created_by FOREIGN KEY(created_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE INDEX ix_lot_due_at ON trading.lot (due_at)",
    "CREATE INDEX ix_lot_region_code ON trading.lot (region_code)",
    "CREATE INDEX ix_lot_state ON trading.lot (state)",
    """
CREATE TABLE evaluation.member (
    id UUID NOT NULL,
    committee_id UUID NOT NULL,
    person_id UUID NOT NULL,
    expert_id UUID,
    number INTEGER NOT NULL,
    capacity VARCHAR NOT NULL,
    employer_uscc VARCHAR NOT NULL,
    region_code VARCHAR NOT NULL,
    site_id UUID NOT NULL,
    seat_id UUID NOT NULL,
    salt BYTEA NOT NULL,
    seated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    succeeded_entry UUID,
    admitted_at TIMESTAMP WITH TIME ZONE,
    admitted_by UUID,
    signed_in_at TIMESTAMP WITH TIME ZONE,
    declaration BYTEA,
    lease_until TIMESTAMP WITH TIME ZONE,
    absent_since TIMESTAMP WITH TIME ZONE,
    lease_counter INTEGER NOT NULL,
    left_at TIMESTAMP WITH TIME ZONE,
    left_reason VARCHAR NOT NULL,
    successor_id UUID,
    CONSTRAINT pk_member PRIMARY KEY (id),
    CONSTRAINT uq_member_committee_id_number UNIQUE (committee_id, number),
    CONSTRAINT uq_member_committee_id_person_id UNIQUE (committee_id, person_id),
    CONSTRAINT fk_member_committee_id FOREIGN KEY(committee_id) REFERENCES evaluation.committee (id),
    CONSTRAINT fk_member_person_id FOREIGN KEY(person_id) REFERENCES kernel.person (id),
    CONSTRAINT fk_member_site_id FOREIGN KEY(site_id) REFERENCES evaluation.site (id),
    CONSTRAINT fk_member_seat_id FOREIGN KEY(seat_id) REFERENCES evaluation.seat (id),
    CONSTRAINT fk_member_successor_id FOREIGN KEY(successor_id) REFERENCES evaluation.member (id)
)
    """,
    "CREATE INDEX ix_member_committee_id ON evaluation.member (committee_id)",
    "CREATE INDEX ix_member_person_id ON evaluation.member (person_id)",
    "CREATE INDEX ix_member_seat_id ON evaluation.member (seat_id)",
    """
CREATE TABLE evaluation.report (
    committee_id UUID NOT NULL,
    document BYTEA NOT NULL,
    digest BYTEA NOT NULL,
    compiled_at TIMESTAMP WITH TIME ZONE NOT NULL,
    handed_back_at TIMESTAMP WITH TIME ZONE,
    handed_back_entry UUID,
    CONSTRAINT pk_report PRIMARY KEY (committee_id),
    CONSTRAINT fk_report_committee_id FOREIGN KEY(committee_id) REFERENCES evaluation.committee (id)
)
    """,
    """
CREATE TABLE trading.bid (
    id UUID NOT NULL,
    lot_id UUID NOT NULL,
    bidder_id UUID NOT NULL,
    seq INTEGER NOT NULL,
    withdrawn BOOLEAN NOT NULL,
    statement_digest BYTEA NOT NULL,
    policy_digest BYTEA NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    entry_id UUID NOT NULL,
    CONSTRAINT pk_bid PRIMARY KEY (id),
    CONSTRAINT uq_bid_lot_id_bidder_id_seq UNIQUE (lot_id, bidder_id, seq),
    CONSTRAINT ck_bid_numbered_from_one CHECK (seq > 0),
    CONSTRAINT fk_bid_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT fk_bid_bidder_id FOREIGN KEY(bidder_id) REFERENCES kernel.organisation (id),
    CONSTRAINT uq_bid_statement_digest UNIQUE (statement_digest),
    CONSTRAINT uq_bid_entry_id UNIQUE (entry_id)
)
    """,
    """
CREATE TABLE trading.candidates (
    lot_id UUID NOT NULL,
    round INTEGER NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    published_by UUID NOT NULL,
    published_at TIMESTAMP WITH TIME ZONE NOT NULL,
    until TIMESTAMP WITH TIME ZONE NOT NULL,
    cautions JSONB NOT NULL,
    CONSTRAINT pk_candidates PRIMARY KEY (lot_id, round),
    CONSTRAINT fk_candidates_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT uq_candidates_digest UNIQUE (digest),
    CONSTRAINT fk_candidates_published_by FOREIGN KEY(published_by) REFERENCES kernel.person (id)
)
    """,
    """
CREATE TABLE trading.closing (
    lot_id UUID NOT NULL,
    salt BYTEA NOT NULL,
    commitments BYTEA[] NOT NULL,
    cut_digest BYTEA NOT NULL,
    begun_at TIMESTAMP WITH TIME ZONE NOT NULL,
    drain_until TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_closing PRIMARY KEY (lot_id),
    CONSTRAINT fk_closing_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id)
)
    """,
    """
CREATE TABLE trading.custodian (
    lot_id UUID NOT NULL,
    person_id UUID NOT NULL,
    party_id UUID NOT NULL,
    place INTEGER NOT NULL,
    escrow_shares INTEGER NOT NULL,
    named_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_custodian PRIMARY KEY (lot_id, person_id),
    CONSTRAINT ck_custodian_shares_not_negative CHECK (escrow_shares >= 0),
    CONSTRAINT fk_custodian_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT fk_custodian_person_id FOREIGN KEY(person_id) REFERENCES kernel.person (id),
    CONSTRAINT fk_custodian_party_id FOREIGN KEY(party_id) REFERENCES kernel.organisation (id)
)
    """,
    "CREATE INDEX ix_custodian_person_id ON trading.custodian (person_id)",
    """
CREATE TABLE trading.custodian_key (
    lot_id UUID NOT NULL,
    kid VARCHAR NOT NULL,
    person_id UUID NOT NULL,
    public_key BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    registered_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_custodian_key PRIMARY KEY (lot_id, kid),
    CONSTRAINT fk_custodian_key_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT fk_custodian_key_person_id FOREIGN KEY(person_id) REFERENCES kernel.person (id)
)
    """,
    "CREATE INDEX ix_custodian_key_lot_id_person_id ON trading.custodian_key (lot_id, person_id)",
    """
CREATE TABLE trading.fallback (
    lot_id UUID NOT NULL,
    side VARCHAR NOT NULL,
    person_id UUID NOT NULL,
    statement BYTEA NOT NULL,
    agreed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_fallback PRIMARY KEY (lot_id, side),
    CONSTRAINT fk_fallback_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT fk_fallback_person_id FOREIGN KEY(person_id) REFERENCES kernel.person (id)
)
    """,
    """
CREATE TABLE trading.intent (
    id UUID NOT NULL,
    lot_id UUID NOT NULL,
    bidder_id UUID NOT NULL,
    person_id UUID NOT NULL,
    key VARCHAR NOT NULL,
    address VARCHAR NOT NULL,
    statement_digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    nonce BYTEA NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_intent PRIMARY KEY (id),
    CONSTRAINT uq_intent_bidder_id_key UNIQUE (bidder_id, key),
    CONSTRAINT fk_intent_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT fk_intent_bidder_id FOREIGN KEY(bidder_id) REFERENCES kernel.organisation (id),
    CONSTRAINT fk_intent_person_id FOREIGN KEY(person_id) REFERENCES kernel.person (id)
)
    """,
    "CREATE INDEX ix_intent_lot_id ON trading.intent (lot_id)",
    """
CREATE TABLE trading.notice (
    lot_id UUID NOT NULL,
    number INTEGER NOT NULL,
    kind VARCHAR NOT NULL,
    title VARCHAR NOT NULL,
    body JSONB NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    published_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_notice PRIMARY KEY (lot_id, number),
    CONSTRAINT fk_notice_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT uq_notice_digest UNIQUE (digest)
)
    """,
    """
CREATE TABLE trading.objection (
    id UUID NOT NULL,
    lot_id UUID NOT NULL,
    about VARCHAR NOT NULL,
    objector_id UUID NOT NULL,
    person_id UUID NOT NULL,
    words VARCHAR NOT NULL,
    interest VARCHAR NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    waits BOOLEAN NOT NULL,
    raised_at TIMESTAMP WITH TIME ZONE NOT NULL,
    answer_due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_objection PRIMARY KEY (id),
    CONSTRAINT fk_objection_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT fk_objection_objector_id FOREIGN KEY(objector_id) REFERENCES kernel.organisation (id),
    CONSTRAINT fk_objection_person_id FOREIGN KEY(person_id) REFERENCES kernel.person (id),
    CONSTRAINT uq_objection_digest UNIQUE (digest)
)
    """,
    "CREATE INDEX ix_objection_lot_id ON trading.objection (lot_id)",
    "CREATE INDEX ix_objection_objector_id ON trading.objection (objector_id)",
    """
CREATE TABLE trading.opened_bid (
    bid_id UUID NOT NULL,
    lot_id UUID NOT NULL,
    bidder_id UUID NOT NULL,
    outcome VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    article VARCHAR NOT NULL,
    price NUMERIC(18, 2),
    sheet JSONB,
    secrets JSONB NOT NULL,
    CONSTRAINT pk_opened_bid PRIMARY KEY (bid_id),
    CONSTRAINT fk_opened_bid_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT fk_opened_bid_bidder_id FOREIGN KEY(bidder_id) REFERENCES kernel.organisation (id)
)
    """,
    "CREATE INDEX ix_opened_bid_lot_id ON trading.opened_bid (lot_id)",
    """
CREATE TABLE trading.opening (
    lot_id UUID NOT NULL,
    begun_at TIMESTAMP WITH TIME ZONE NOT NULL,
    window_until TIMESTAMP WITH TIME ZONE NOT NULL,
    window_closed_at TIMESTAMP WITH TIME ZONE,
    window_closed_entry UUID,
    opened_at TIMESTAMP WITH TIME ZONE,
    recorded_at TIMESTAMP WITH TIME ZONE,
    record BYTEA,
    record_statement BYTEA,
    CONSTRAINT pk_opening PRIMARY KEY (lot_id),
    CONSTRAINT fk_opening_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id)
)
    """,
    """
CREATE TABLE trading.opening_objection (
    id UUID NOT NULL,
    lot_id UUID NOT NULL,
    bidder_id UUID NOT NULL,
    words VARCHAR NOT NULL,
    raised_at TIMESTAMP WITH TIME ZONE NOT NULL,
    answer VARCHAR,
    answered_by UUID,
    answered_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_opening_objection PRIMARY KEY (id),
    CONSTRAINT fk_opening_objection_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT fk_opening_objection_bidder_id FOREIGN KEY(bidder_id) REFERENCES kernel.organisation (id)
)
    """,
    "CREATE INDEX ix_opening_objection_lot_id ON trading.opening_objection (lot_id)",
    """
CREATE TABLE trading.opening_policy (
    lot_id UUID NOT NULL,
    version INTEGER NOT NULL,
    digest BYTEA NOT NULL,
    document BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_opening_policy PRIMARY KEY (lot_id, version),
    CONSTRAINT fk_opening_policy_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT uq_opening_policy_digest UNIQUE (digest)
)
    """,
    """
CREATE TABLE trading.release (
    lot_id UUID NOT NULL,
    head BYTEA NOT NULL,
    bidder_id UUID NOT NULL,
    secret BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    released_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_release PRIMARY KEY (head),
    CONSTRAINT fk_release_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT fk_release_bidder_id FOREIGN KEY(bidder_id) REFERENCES kernel.organisation (id)
)
    """,
    "CREATE INDEX ix_release_lot_id ON trading.release (lot_id)",
    """
CREATE TABLE trading.share (
    head BYTEA NOT NULL,
    component VARCHAR NOT NULL,
    digest BYTEA NOT NULL,
    lot_id UUID NOT NULL,
    kid VARCHAR NOT NULL,
    share BYTEA NOT NULL,
    given_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_share PRIMARY KEY (head, component, digest),
    CONSTRAINT fk_share_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id)
)
    """,
    "CREATE INDEX ix_share_lot_id ON trading.share (lot_id)",
    """
CREATE TABLE trading.taken_report (
    lot_id UUID NOT NULL,
    round INTEGER NOT NULL,
    report_digest BYTEA NOT NULL,
    all_rejected BOOLEAN NOT NULL,
    taken_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_taken_report PRIMARY KEY (lot_id, round),
    CONSTRAINT fk_taken_report_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id)
)
    """,
    """
CREATE TABLE trading.tender_document (
    lot_id UUID NOT NULL,
    name VARCHAR NOT NULL,
    clarification INTEGER NOT NULL,
    digest BYTEA NOT NULL,
    size BIGINT NOT NULL,
    media_type VARCHAR NOT NULL,
    added_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_tender_document PRIMARY KEY (lot_id, name, clarification),
    CONSTRAINT fk_tender_document_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id)
)
    """,
    """
CREATE TABLE trading.timetable (
    lot_id UUID NOT NULL,
    version INTEGER NOT NULL,
    previous BYTEA,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    documents_from TIMESTAMP WITH TIME ZONE NOT NULL,
    documents_until TIMESTAMP WITH TIME ZONE NOT NULL,
    bids_due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    release_window_s INTEGER NOT NULL,
    publicity_days INTEGER NOT NULL,
    validity_days INTEGER NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_timetable PRIMARY KEY (lot_id, version),
    CONSTRAINT ck_timetable_versions_are_chained CHECK ((version = 1) = (previous IS NULL)),
    CONSTRAINT fk_timetable_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT uq_timetable_digest UNIQUE (digest)
)
    """,
    """
CREATE TABLE trading.upload (
    id UUID NOT NULL,
    lot_id UUID NOT NULL,
    bidder_id UUID NOT NULL,
    person_id UUID NOT NULL,
    envelope VARCHAR NOT NULL,
    payload_size BIGINT NOT NULL,
    part_digests BYTEA[] NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    begun_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_upload PRIMARY KEY (id),
    CONSTRAINT ck_upload_not_empty CHECK (payload_size > 0),
    CONSTRAINT fk_upload_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT fk_upload_bidder_id FOREIGN KEY(bidder_id) REFERENCES kernel.organisation (id),
    CONSTRAINT fk_upload_person_id FOREIGN KEY(person_id) REFERENCES kernel.person (id)
)
    """,
    "CREATE INDEX ix_upload_lot_id_bidder_id ON trading.upload (lot_id, bidder_id)",
    """
CREATE TABLE trading.upload_part (
    lot_id UUID NOT NULL,
    bidder_id UUID NOT NULL,
    digest BYTEA NOT NULL,
    size INTEGER NOT NULL,
    leaf BYTEA NOT NULL,
    kept_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_upload_part PRIMARY KEY (lot_id, bidder_id, digest),
    CONSTRAINT fk_upload_part_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT fk_upload_part_bidder_id FOREIGN KEY(bidder_id) REFERENCES kernel.organisation (id)
)
    """,
    "CREATE INDEX ix_upload_part_digest ON trading.upload_part (digest)",
    """
CREATE TABLE evaluation.draft_score (
    member_id UUID NOT NULL,
    bid_id UUID NOT NULL,
    item VARCHAR NOT NULL,
    score NUMERIC(12, 4),
    version INTEGER NOT NULL,
    edit_id UUID NOT NULL,
    saved_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_draft_score PRIMARY KEY (member_id, bid_id, item),
    CONSTRAINT fk_draft_score_member_id FOREIGN KEY(member_id) REFERENCES evaluation.member (id)
)
    """,
    """
CREATE TABLE evaluation.rejection (
    id UUID NOT NULL,
    committee_id UUID NOT NULL,
    bid_id UUID NOT NULL,
    ground VARCHAR NOT NULL,
    version INTEGER NOT NULL,
    page VARCHAR NOT NULL,
    words VARCHAR NOT NULL,
    below_cost BOOLEAN NOT NULL,
    asked BOOLEAN NOT NULL,
    proposed_by UUID NOT NULL,
    proposed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    decided_at TIMESTAMP WITH TIME ZONE,
    carried BOOLEAN,
    CONSTRAINT pk_rejection PRIMARY KEY (id),
    CONSTRAINT uq_rejection_committee_id_bid_id_ground_version UNIQUE (committee_id, bid_id, ground, version),
    CONSTRAINT fk_rejection_committee_id FOREIGN KEY(committee_id) REFERENCES evaluation.committee (id),
    CONSTRAINT fk_rejection_proposed_by FOREIGN KEY(proposed_by) REFERENCES evaluation.member (id)
)
    """,
    "CREATE INDEX ix_rejection_committee_id ON evaluation.rejection (committee_id)",
    """
CREATE TABLE evaluation.score_edit (
    edit_id UUID NOT NULL,
    member_id UUID NOT NULL,
    bid_id UUID NOT NULL,
    item VARCHAR NOT NULL,
    score NUMERIC(12, 4),
    base_version INTEGER NOT NULL,
    edited_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_score_edit PRIMARY KEY (edit_id),
    CONSTRAINT fk_score_edit_member_id FOREIGN KEY(member_id) REFERENCES evaluation.member (id)
)
    """,
    "CREATE INDEX ix_score_edit_member_id ON evaluation.score_edit (member_id)",
    """
CREATE TABLE evaluation.set_aside_report (
    committee_id UUID NOT NULL,
    version INTEGER NOT NULL,
    document BYTEA NOT NULL,
    digest BYTEA NOT NULL,
    ground VARCHAR NOT NULL,
    compiled_at TIMESTAMP WITH TIME ZONE NOT NULL,
    set_aside_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_set_aside_report PRIMARY KEY (committee_id, version),
    CONSTRAINT fk_set_aside_report_committee_id FOREIGN KEY(committee_id) REFERENCES evaluation.committee (id)
)
    """,
    """
CREATE TABLE evaluation.sheet (
    id UUID NOT NULL,
    member_id UUID NOT NULL,
    round INTEGER NOT NULL,
    commitment BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    keyid VARCHAR NOT NULL,
    public_key BYTEA NOT NULL,
    committed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    committed_entry UUID NOT NULL,
    reason VARCHAR NOT NULL,
    ground VARCHAR,
    nonce BYTEA,
    scores JSONB,
    revealed_at TIMESTAMP WITH TIME ZONE,
    revealed_entry UUID,
    CONSTRAINT pk_sheet PRIMARY KEY (id),
    CONSTRAINT uq_sheet_member_id_round UNIQUE (member_id, round),
    CONSTRAINT fk_sheet_member_id FOREIGN KEY(member_id) REFERENCES evaluation.member (id)
)
    """,
    "CREATE INDEX ix_sheet_member_id ON evaluation.sheet (member_id)",
    """
CREATE TABLE evaluation.signature (
    committee_id UUID NOT NULL,
    member_id UUID NOT NULL,
    report_digest BYTEA NOT NULL,
    keyid VARCHAR NOT NULL,
    public_key BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    dissent VARCHAR NOT NULL,
    refused BOOLEAN NOT NULL,
    signed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_signature PRIMARY KEY (committee_id, member_id, report_digest),
    CONSTRAINT fk_signature_committee_id FOREIGN KEY(committee_id) REFERENCES evaluation.committee (id),
    CONSTRAINT fk_signature_member_id FOREIGN KEY(member_id) REFERENCES evaluation.member (id)
)
    """,
    """
CREATE TABLE evaluation.time_request (
    member_id UUID NOT NULL,
    window_until TIMESTAMP WITH TIME ZONE NOT NULL,
    reason VARCHAR NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_time_request PRIMARY KEY (member_id, window_until),
    CONSTRAINT fk_time_request_member_id FOREIGN KEY(member_id) REFERENCES evaluation.member (id)
)
    """,
    """
CREATE TABLE trading.award (
    lot_id UUID NOT NULL,
    round INTEGER NOT NULL,
    bid_id UUID NOT NULL,
    winner_id UUID NOT NULL,
    rank INTEGER NOT NULL,
    price NUMERIC(18, 2) NOT NULL,
    set_aside JSONB NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    awarded_by UUID NOT NULL,
    awarded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    contract_due_on DATE NOT NULL,
    report_due_on DATE,
    cautions JSONB NOT NULL,
    CONSTRAINT pk_award PRIMARY KEY (lot_id),
    CONSTRAINT fk_award_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT uq_award_bid_id UNIQUE (bid_id),
    CONSTRAINT fk_award_bid_id FOREIGN KEY(bid_id) REFERENCES trading.opened_bid (bid_id),
    CONSTRAINT fk_award_winner_id FOREIGN KEY(winner_id) REFERENCES kernel.organisation (id),
    CONSTRAINT uq_award_digest UNIQUE (digest),
    CONSTRAINT fk_award_awarded_by FOREIGN KEY(awarded_by) REFERENCES kernel.person (id)
)
    """,
    "CREATE INDEX ix_award_winner_id ON trading.award (winner_id)",
    """
CREATE TABLE trading.bid_envelope (
    bid_id UUID NOT NULL,
    envelope VARCHAR NOT NULL,
    upload_id UUID NOT NULL,
    head BYTEA NOT NULL,
    header BYTEA NOT NULL,
    payload_root BYTEA NOT NULL,
    payload_size BIGINT NOT NULL,
    payload_sha256 BYTEA NOT NULL,
    parts BYTEA[] NOT NULL,
    CONSTRAINT pk_bid_envelope PRIMARY KEY (bid_id, envelope),
    CONSTRAINT fk_bid_envelope_bid_id FOREIGN KEY(bid_id) REFERENCES trading.bid (id),
    CONSTRAINT fk_bid_envelope_upload_id FOREIGN KEY(upload_id) REFERENCES trading.upload (id)
)
    """,
    "CREATE INDEX ix_bid_envelope_upload_id ON trading.bid_envelope (upload_id)",
    """
CREATE TABLE trading.judgement (
    intent_id UUID NOT NULL,
    outcome VARCHAR NOT NULL,
    entry_id UUID NOT NULL,
    refusals JSONB NOT NULL,
    cautions JSONB NOT NULL,
    CONSTRAINT pk_judgement PRIMARY KEY (intent_id),
    CONSTRAINT fk_judgement_intent_id FOREIGN KEY(intent_id) REFERENCES trading.intent (id)
)
    """,
    """
CREATE TABLE trading.objection_answer (
    objection_id UUID NOT NULL,
    words VARCHAR NOT NULL,
    digest BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    answered_by UUID NOT NULL,
    answered_at TIMESTAMP WITH TIME ZONE NOT NULL,
    late BOOLEAN NOT NULL,
    CONSTRAINT pk_objection_answer PRIMARY KEY (objection_id),
    CONSTRAINT fk_objection_answer_objection_id FOREIGN KEY(objection_id) REFERENCES trading.objection (id),
    CONSTRAINT uq_objection_answer_digest UNIQUE (digest),
    CONSTRAINT fk_objection_answer_answered_by FOREIGN KEY(answered_by) REFERENCES kernel.person (id)
)
    """,
    """
CREATE TABLE trading.ranked_bid (
    lot_id UUID NOT NULL,
    round INTEGER NOT NULL,
    bid_id UUID NOT NULL,
    bidder_id UUID NOT NULL,
    name VARCHAR NOT NULL,
    rank INTEGER NOT NULL,
    candidate BOOLEAN NOT NULL,
    total NUMERIC(12, 4) NOT NULL,
    price NUMERIC(18, 2) NOT NULL,
    parts JSONB NOT NULL,
    CONSTRAINT pk_ranked_bid PRIMARY KEY (lot_id, round, bid_id),
    CONSTRAINT uq_ranked_bid_lot_id_round_rank UNIQUE (lot_id, round, rank),
    CONSTRAINT ck_ranked_bid_ranked_from_one CHECK (rank > 0),
    CONSTRAINT fk_ranked_bid_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT fk_ranked_bid_bid_id FOREIGN KEY(bid_id) REFERENCES trading.opened_bid (bid_id),
    CONSTRAINT fk_ranked_bid_bidder_id FOREIGN KEY(bidder_id) REFERENCES kernel.organisation (id)
)
    """,
    """
CREATE TABLE trading.rejected_bid (
    lot_id UUID NOT NULL,
    round INTEGER NOT NULL,
    bid_id UUID NOT NULL,
    ground VARCHAR NOT NULL,
    bidder_id UUID NOT NULL,
    name VARCHAR NOT NULL,
    article VARCHAR NOT NULL,
    page VARCHAR NOT NULL,
    CONSTRAINT pk_rejected_bid PRIMARY KEY (lot_id, round, bid_id, ground),
    CONSTRAINT fk_rejected_bid_lot_id FOREIGN KEY(lot_id) REFERENCES trading.lot (id),
    CONSTRAINT fk_rejected_bid_bid_id FOREIGN KEY(bid_id) REFERENCES trading.opened_bid (bid_id),
    CONSTRAINT fk_rejected_bid_bidder_id FOREIGN KEY(bidder_id) REFERENCES kernel.organisation (id)
)
    """,
    """
CREATE TABLE trading.upload_discarded (
    upload_id UUID NOT NULL,
    discarded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    emptied BOOLEAN NOT NULL,
    CONSTRAINT pk_upload_discarded PRIMARY KEY (upload_id),
    CONSTRAINT fk_upload_discarded_upload_id FOREIGN KEY(upload_id) REFERENCES trading.upload (id)
)
    """,
    """
CREATE TABLE trading.upload_header (
    upload_id UUID NOT NULL,
    head BYTEA NOT NULL,
    header BYTEA NOT NULL,
    kept_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_upload_header PRIMARY KEY (upload_id),
    CONSTRAINT fk_upload_header_upload_id FOREIGN KEY(upload_id) REFERENCES trading.upload (id)
)
    """,
    "CREATE INDEX ix_upload_header_head ON trading.upload_header (head)",
    """
CREATE TABLE trading.upload_whole (
    upload_id UUID NOT NULL,
    payload_root BYTEA NOT NULL,
    payload_sha256 BYTEA NOT NULL,
    CONSTRAINT pk_upload_whole PRIMARY KEY (upload_id),
    CONSTRAINT fk_upload_whole_upload_id FOREIGN KEY(upload_id) REFERENCES trading.upload (id)
)
    """,
    """
CREATE TABLE evaluation.vote (
    rejection_id UUID NOT NULL,
    member_id UUID NOT NULL,
    in_favour BOOLEAN NOT NULL,
    voted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_vote PRIMARY KEY (rejection_id, member_id),
    CONSTRAINT fk_vote_rejection_id FOREIGN KEY(rejection_id) REFERENCES evaluation.rejection (id),
    CONSTRAINT fk_vote_member_id FOREIGN KEY(member_id) REFERENCES evaluation.member (id)
)
    """,
    """
CREATE TABLE trading.award_notice (
    lot_id UUID NOT NULL,
    bidder_id UUID NOT NULL,
    won BOOLEAN NOT NULL,
    entry_id UUID NOT NULL,
    noticed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_award_notice PRIMARY KEY (lot_id, bidder_id),
    CONSTRAINT fk_award_notice_lot_id FOREIGN KEY(lot_id) REFERENCES trading.award (lot_id),
    CONSTRAINT fk_award_notice_bidder_id FOREIGN KEY(bidder_id) REFERENCES kernel.organisation (id),
    CONSTRAINT uq_award_notice_entry_id UNIQUE (entry_id)
)
    """,
    """
CREATE FUNCTION kernel.refuse_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% on %.% is refused: it is append-only', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation';
END $$
    """,
    """
CREATE FUNCTION kernel.platform_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
  SELECT clock_timestamp()
    + coalesce((SELECT offset_by FROM kernel.clock_jump ORDER BY id DESC LIMIT 1), interval '0')
$$
    """,
    """
CREATE FUNCTION kernel.refuse_unlawful_jump() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT (SELECT demo FROM kernel.platform) THEN
    RAISE EXCEPTION 'only a demo database can jump' USING ERRCODE = 'restrict_violation';
  END IF;
  IF NEW.offset_by < (SELECT coalesce(max(offset_by), NEW.offset_by) FROM kernel.clock_jump) THEN
    RAISE EXCEPTION 'the clock only jumps forward' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$
    """,
    """
CREATE TRIGGER lawful_jump BEFORE INSERT ON kernel.clock_jump
  FOR EACH ROW EXECUTE FUNCTION kernel.refuse_unlawful_jump()
    """,
    "GRANT USAGE ON SCHEMA kernel TO sunbid_app, sunbid_read",
    "GRANT USAGE ON SCHEMA blacklist TO sunbid_app, sunbid_read",
    "GRANT USAGE ON SCHEMA expert_pool TO sunbid_app, sunbid_read",
    "GRANT USAGE ON SCHEMA trading TO sunbid_app, sunbid_read",
    "GRANT USAGE ON SCHEMA evaluation TO sunbid_app, sunbid_read",
    "GRANT USAGE ON SCHEMA kernel TO sunbid_log",
    "GRANT SELECT ON expert_pool.draw TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON expert_pool.draw TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON kernel.capacity FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON kernel.capacity FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON kernel.capacity TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON kernel.capacity TO sunbid_app",
    "GRANT SELECT ON kernel.challenge TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON kernel.challenge TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON kernel.clock_jump FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON kernel.clock_jump FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON kernel.clock_jump TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON kernel.clock_jump TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON kernel.document FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON kernel.document FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON kernel.document TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON kernel.document TO sunbid_app",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON kernel.filler_epoch TO sunbid_log",
    "GRANT SELECT ON kernel.follower TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON kernel.follower TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON kernel.journal FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON kernel.journal FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON kernel.journal TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON kernel.journal TO sunbid_app",
    "GRANT INSERT ON kernel.journal TO sunbid_log",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON kernel.log_batch FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON kernel.log_batch FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON kernel.log_batch TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON kernel.log_batch TO sunbid_log",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON kernel.log_checkpoint FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON kernel.log_checkpoint FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON kernel.log_checkpoint TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON kernel.log_checkpoint TO sunbid_log",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON kernel.log_cosignature FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON kernel.log_cosignature FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON kernel.log_cosignature TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON kernel.log_cosignature TO sunbid_log",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON kernel.log_leaf FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON kernel.log_leaf FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON kernel.log_leaf TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON kernel.log_leaf TO sunbid_log",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON kernel.log_node FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON kernel.log_node FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON kernel.log_node TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON kernel.log_node TO sunbid_log",
    "GRANT SELECT ON kernel.organisation TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON kernel.organisation TO sunbid_app",
    "GRANT SELECT ON kernel.person TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON kernel.person TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON kernel.platform FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON kernel.platform FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON kernel.platform TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON kernel.platform TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON kernel.request FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON kernel.request FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON kernel.request TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON kernel.request TO sunbid_app",
    "GRANT SELECT ON kernel.sealing TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON kernel.sealing TO sunbid_log",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.lawful_move FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.lawful_move FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.lawful_move TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.lawful_move TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON blacklist.decision FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON blacklist.decision FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON blacklist.decision TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON blacklist.decision TO sunbid_app",
    "GRANT SELECT ON evaluation.site TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON evaluation.site TO sunbid_app",
    "GRANT SELECT ON expert_pool.draw_party TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON expert_pool.draw_party TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON expert_pool.draw_statement FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON expert_pool.draw_statement FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT, INSERT ON expert_pool.draw_statement TO sunbid_app",
    "GRANT SELECT ON expert_pool.expert TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON expert_pool.expert TO sunbid_app",
    "GRANT SELECT ON expert_pool.nonce_share TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON expert_pool.nonce_share TO sunbid_app",
    "GRANT SELECT ON kernel.credential TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON kernel.credential TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON kernel.log_place FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON kernel.log_place FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON kernel.log_place TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON kernel.log_place TO sunbid_log",
    "GRANT SELECT ON kernel.membership TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON kernel.membership TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON kernel.receipt FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON kernel.receipt FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON kernel.receipt TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON kernel.receipt TO sunbid_log",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON kernel.sequence FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON kernel.sequence FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON kernel.sequence TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON kernel.sequence TO sunbid_log",
    "GRANT SELECT ON kernel.unsequenced TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON kernel.unsequenced TO sunbid_app",
    "GRANT INSERT, DELETE ON kernel.unsequenced TO sunbid_log",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON kernel.view_entry FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON kernel.view_entry FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON kernel.view_entry TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON kernel.view_entry TO sunbid_log",
    "GRANT SELECT ON trading.project TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON trading.project TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON blacklist.bar FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON blacklist.bar FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON blacklist.bar TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON blacklist.bar TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON blacklist.lift FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON blacklist.lift FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON blacklist.lift TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON blacklist.lift TO sunbid_app",
    "GRANT SELECT ON evaluation.committee TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON evaluation.committee TO sunbid_app",
    "GRANT SELECT ON evaluation.seat TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON evaluation.seat TO sunbid_app",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON expert_pool.call TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON expert_pool.draw_label FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON expert_pool.draw_label FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT, INSERT ON expert_pool.draw_label TO sunbid_app",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON expert_pool.expert_tie TO sunbid_app",
    "GRANT SELECT ON kernel.session TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON kernel.session TO sunbid_app",
    "GRANT SELECT ON trading.lot TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON trading.lot TO sunbid_app",
    "GRANT SELECT ON evaluation.member TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON evaluation.member TO sunbid_app",
    "GRANT SELECT ON evaluation.report TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON evaluation.report TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.bid FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.bid FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.bid TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.bid TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.candidates FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.candidates FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.candidates TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.candidates TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.closing FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.closing FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.closing TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.closing TO sunbid_app",
    "GRANT SELECT ON trading.custodian TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON trading.custodian TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.custodian_key FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.custodian_key FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.custodian_key TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.custodian_key TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.fallback FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.fallback FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.fallback TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.fallback TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.intent FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.intent FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.intent TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.intent TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.notice FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.notice FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.notice TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.notice TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.objection FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.objection FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.objection TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.objection TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.opened_bid FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.opened_bid FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.opened_bid TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.opened_bid TO sunbid_app",
    "GRANT SELECT ON trading.opening TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON trading.opening TO sunbid_app",
    "GRANT SELECT ON trading.opening_objection TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON trading.opening_objection TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.opening_policy FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.opening_policy FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.opening_policy TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.opening_policy TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.release FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.release FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.release TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.release TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.share FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.share FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.share TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.share TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.taken_report FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.taken_report FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.taken_report TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.taken_report TO sunbid_app",
    "GRANT SELECT ON trading.tender_document TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON trading.tender_document TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.timetable FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.timetable FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.timetable TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.timetable TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.upload FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.upload FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.upload TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.upload TO sunbid_app",
    "GRANT SELECT ON trading.upload_part TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON trading.upload_part TO sunbid_app",
    "GRANT SELECT ON evaluation.draft_score TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON evaluation.draft_score TO sunbid_app",
    "GRANT SELECT ON evaluation.rejection TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON evaluation.rejection TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON evaluation.score_edit FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON evaluation.score_edit FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON evaluation.score_edit TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON evaluation.score_edit TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON evaluation.set_aside_report FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON evaluation.set_aside_report FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON evaluation.set_aside_report TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON evaluation.set_aside_report TO sunbid_app",
    "GRANT SELECT ON evaluation.sheet TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON evaluation.sheet TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON evaluation.signature FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON evaluation.signature FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON evaluation.signature TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON evaluation.signature TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON evaluation.time_request FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON evaluation.time_request FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON evaluation.time_request TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON evaluation.time_request TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.award FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.award FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.award TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.award TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.bid_envelope FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.bid_envelope FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.bid_envelope TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.bid_envelope TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.judgement FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.judgement FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.judgement TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.judgement TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.objection_answer FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.objection_answer FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.objection_answer TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.objection_answer TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.ranked_bid FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.ranked_bid FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.ranked_bid TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.ranked_bid TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.rejected_bid FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.rejected_bid FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.rejected_bid TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.rejected_bid TO sunbid_app",
    "GRANT SELECT ON trading.upload_discarded TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON trading.upload_discarded TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.upload_header FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.upload_header FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.upload_header TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.upload_header TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.upload_whole FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.upload_whole FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.upload_whole TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.upload_whole TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON evaluation.vote FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON evaluation.vote FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON evaluation.vote TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON evaluation.vote TO sunbid_app",
    "CREATE TRIGGER no_rewrite BEFORE UPDATE OR DELETE ON trading.award_notice FOR EACH ROW EXECUTE FUNCTION kernel.refuse_rewrite()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON trading.award_notice FOR EACH STATEMENT EXECUTE FUNCTION kernel.refuse_rewrite()",
    "GRANT SELECT ON trading.award_notice TO sunbid_app, sunbid_read, sunbid_log",
    "GRANT SELECT, INSERT ON trading.award_notice TO sunbid_app",
    "GRANT USAGE ON ALL SEQUENCES IN SCHEMA kernel TO sunbid_app",
    "GRANT USAGE ON ALL SEQUENCES IN SCHEMA blacklist TO sunbid_app",
    "GRANT USAGE ON ALL SEQUENCES IN SCHEMA expert_pool TO sunbid_app",
    "GRANT USAGE ON ALL SEQUENCES IN SCHEMA trading TO sunbid_app",
    "GRANT USAGE ON ALL SEQUENCES IN SCHEMA evaluation TO sunbid_app",
    "GRANT USAGE ON ALL SEQUENCES IN SCHEMA kernel TO sunbid_log",
    """
INSERT INTO trading.lawful_move (came_from, went_to) VALUES
  ('draft', 'open'),
  ('open', 'closing'),
  ('closing', 'closed'),
  ('closed', 'failed'),
  ('closed', 'opening'),
  ('opening', 'opened'),
  ('opened', 'failed'),
  ('opened', 'in_evaluation'),
  ('in_evaluation', 'evaluated'),
  ('in_evaluation', 'failed'),
  ('evaluated', 'candidates_published'),
  ('evaluated', 'in_evaluation'),
  ('candidates_published', 'cleared_for_award'),
  ('candidates_published', 'in_evaluation'),
  ('cleared_for_award', 'awarded'),
  ('cleared_for_award', 'in_evaluation'),
  ('draft', 'cancelled'),
  ('open', 'cancelled'),
  ('closed', 'cancelled'),
  ('opening', 'cancelled'),
  ('opened', 'cancelled'),
  ('in_evaluation', 'cancelled'),
  ('evaluated', 'cancelled'),
  ('candidates_published', 'cancelled'),
  ('cleared_for_award', 'cancelled')
    """,
    """
CREATE FUNCTION trading.check_move() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  been int;
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'draft' OR NEW.path <> ARRAY['draft'] THEN
      RAISE EXCEPTION 'a lot begins as a draft' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF NEW.state = OLD.state AND NEW.path = OLD.path THEN
    RETURN NEW;
  END IF;
  IF OLD.suspended AND NEW.suspended THEN
    RAISE EXCEPTION 'a suspended lot does not move' USING ERRCODE = 'restrict_violation';
  END IF;
  been := cardinality(OLD.path);
  IF NEW.path[1:been] <> OLD.path OR NEW.path[cardinality(NEW.path)] <> NEW.state THEN
    RAISE EXCEPTION 'a lot''s path only grows' USING ERRCODE = 'restrict_violation';
  END IF;
  FOR step IN been .. cardinality(NEW.path) - 1 LOOP
    IF NOT EXISTS (SELECT 1 FROM trading.lawful_move
                   WHERE came_from = NEW.path[step] AND went_to = NEW.path[step + 1]) THEN
      RAISE EXCEPTION 'no lawful move leads from % to %', NEW.path[step], NEW.path[step + 1]
        USING ERRCODE = 'restrict_violation';
    END IF;
  END LOOP;
  RETURN NEW;
END $$
    """,
    "CREATE TRIGGER lawful_move BEFORE INSERT OR UPDATE ON trading.lot FOR EACH ROW EXECUTE FUNCTION trading.check_move()",
    """
CREATE FUNCTION trading.fix_terms() RETURNS trigger LANGUAGE plpgsql AS $$
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
    "CREATE TRIGGER fixed_terms BEFORE UPDATE ON trading.lot FOR EACH ROW EXECUTE FUNCTION trading.fix_terms()",
    """
CREATE FUNCTION trading.check_intent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM trading.lot WHERE id = NEW.lot_id AND state = 'open'
                 AND NEW.received_at < bids_due_at) THEN
    RAISE EXCEPTION 'the lot takes no submission received at %', NEW.received_at
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$
    """,
    "CREATE TRIGGER in_time BEFORE INSERT ON trading.intent FOR EACH ROW EXECUTE FUNCTION trading.check_intent()",
    """
CREATE FUNCTION trading.check_bid() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM trading.lot WHERE id = NEW.lot_id
                 AND state IN ('open', 'closing')) THEN
    RAISE EXCEPTION 'the lot is closed and takes no bid' USING ERRCODE = 'restrict_violation';
  END IF;
  IF NOT EXISTS (SELECT 1 FROM trading.intent WHERE lot_id = NEW.lot_id
                 AND bidder_id = NEW.bidder_id AND statement_digest = NEW.statement_digest
                 AND received_at = NEW.received_at) THEN
    RAISE EXCEPTION 'a bid without its intent' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$
    """,
    "CREATE TRIGGER lawful_bid BEFORE INSERT ON trading.bid FOR EACH ROW EXECUTE FUNCTION trading.check_bid()",
    """
CREATE FUNCTION trading.keep_sealed_parts() RETURNS trigger LANGUAGE plpgsql AS $$
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
    "CREATE TRIGGER sealed_parts BEFORE UPDATE OR DELETE ON trading.upload_part FOR EACH ROW EXECUTE FUNCTION trading.keep_sealed_parts()",
)


def upgrade() -> None:
    """Make everything, in order."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """Take everything away; only ever wanted on a test's database."""
    connection = op.get_bind()
    for schema in ("evaluation", "trading", "expert_pool", "blacklist"):
        connection.exec_driver_sql(f"DROP SCHEMA {schema} CASCADE")
    tables = connection.exec_driver_sql(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'kernel'"
        " AND tablename <> 'alembic_version'"
    )
    for (name,) in tables.fetchall():
        connection.exec_driver_sql(f"DROP TABLE kernel.{name} CASCADE")
    functions = connection.exec_driver_sql(
        "SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " WHERE n.nspname = 'kernel'"
    )
    for (name,) in functions.fetchall():
        connection.exec_driver_sql(f"DROP FUNCTION {name} CASCADE")
