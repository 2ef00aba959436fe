"""Every kind of statement that people and their programs sign here, and what each must say.

A signature lasts longer than the program that read what was signed. So nothing is read past what a
statement says: it has the members of its kind and no others, and an instant where it names one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kernel.crypto.digests import Malformed, members, parse_instant, strict_json
from kernel.crypto.signing import Envelope

STATEMENT_MAX_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Form:
    """The members of one kind of statement; `v`, which names the kind, is always among them."""

    required: frozenset[str]
    optional: frozenset[str]


def _says(required: str, optional: str = "signed_at") -> Form:
    return Form(frozenset({"v", *required.split()}), frozenset(optional.split()))


_TENDER_NOTICE = (
    "code project_name number name procedure category region funding_source tenderee agency"
    " estimate ceiling_price bid_security sheet_fields scheme security_forms words documents"
    " answers award_method invited prequalified sole_supplier documents_from documents_until"
    " bids_due_at timetable opening_policy"
)

FORMS: Final[Mapping[str, Form]] = {
    # coming in
    "registration": _says(
        "uscc name region responsible_person roles person identity_document public_key signed_at",
        "",
    ),
    "membership": _says("organisation roles person identity_document public_key signed_at", ""),
    "credential": _says("public_key signed_at", ""),
    "sign-in": _says("challenge role organisation origin signed_at", ""),
    # the library
    "licence": _says(
        "organisation kind title number issuer valid_from file signed_at", "valid_to replaces"
    ),
    "performance": _says(
        "organisation title number client amount contracted_on file signed_at",
        "completed_on replaces",
    ),
    # the tender
    "authorisation": _says("project agency", "lots acts until signed_at"),
    "authorisation-end": _says("project agency reason signed_at", ""),
    "custodian-key": _says("project lot kid public_key"),
    "timetable": _says(
        "project lot version previous documents_from documents_until bids_due_at"
        " release_window_s publicity_days validity_days"
    ),
    "opening-policy": _says(
        "project lot version suite envelopes officials escrow log witnesses quorum"
    ),
    # One that publishes says everything; one that ends a tender gives its reason instead.
    "notice": _says("kind project lot", f"{_TENDER_NOTICE} reason promises ground signed_at"),
    "clarification": _says(
        "project lot number title text may_affect_bids",
        "changes_object documents changes terms answers signed_at",
    ),
    "question": _says("lot words signed_at", "project"),
    # the prequalification
    "prequalification": _says(
        "project lot round name words conditions documents documents_until applications_due_at"
        " release_window_s signed_at",
        "",
    ),
    "prequalification-addendum": _says(
        "project lot round number title text may_affect documents applications_due_at signed_at",
        "",
    ),
    "application": _says("project lot round applicant seq notice envelope signed_at", ""),
    "application-release": _says("lot head secret signed_at", "project"),
    "prequalification-review": _says("lot round reviewers findings signed_at", "project"),
    # the bids
    "submission": _says("project lot bidder seq policy envelopes replaces signed_at", ""),
    "guarantee": _says(
        "lot form guarantor number amount valid_until document signed_at", "project"
    ),
    # signed by every member, and sealed in the bid
    "consortium-agreement": _says("project lot lead members liability signed_at", ""),
    "release": _says("lot secrets", "project signed_at"),
    "fallback": _says("lot", "project signed_at"),
    "shares": _says("lot shares", "project signed_at"),
    # signed by everybody of the group, and by the supplier
    "price-agreement": _says("project lot supplier price group record signed_at", ""),
    "opening-record": _says(
        "project lot policy timetable close_entry window_closed_entry opened_at bids objections",
        "unannounced",
    ),
    # talks and last prices
    "talk-answer": _says("lot talk words signed_at", "project files"),
    "talk-leave": _says("lot signed_at", "project"),
    "last-price": _says("lot seq changes commitment signed_at", "project"),
    "last-price-opening": _says("lot seq price salt signed_at", "project"),
    "validity-extension": _says("lot number validity_days answer_by reason signed_at", "project"),
    "validity-answer": _says("lot number agreed signed_at", "project"),
    # the result
    "candidates": _says(
        "project lot report days candidates ranking rejected objections signed_at", "award_method"
    ),
    "objection": _says("lot about request grounds evidence signed_at", "project interest"),
    "answer": _says("lot objection outcome remedy words signed_at", "project candidate"),
    "objection-return": _says("lot objection words signed_at", "project"),
    "objection-withdrawal": _says("lot objection reason signed_at", "project"),
    "candidate-recheck": _says("lot report candidate ground words evidence signed_at", "project"),
    "recheck-opinion": _says("committee member recheck fit words signed_at", ""),
    "award": _says("lot winner signed_at", "project report after set_aside minutes"),
    "award-vote": _says("lot report member bidder signed_at", "project"),
    "award-renunciation": _says("lot award words signed_at", "project"),
    "award-annulment": _says(
        "lot award ground words evidence signed_at", "project found_by due_on renunciation"
    ),
    # the contract; both sides sign the very same words
    "award-report": _says("project lot award content words signed_at", ""),
    "contract": _says(
        "project lot number award tenderee winner terms scope manager clauses documents"
        " performance_security security_forms signed_at",
        "",
    ),
    "contract-filing": _says("lot contract authority reference signed_at", "project"),
    "contract-change": _says("lot contract number reason words amount period signed_at", "project"),
    "performance-report": _says(
        "lot contract kind words on signed_at",
        "project amount share due_on delivered_on marks",
    ),
    "settlement": _says(
        "lot contract amount auditor document completed_on audited_on words signed_at", "project"
    ),
    "security-forfeiture": _says("lot reference ground reason signed_at", "project"),
    # complaints
    "complaint": _says(
        "lot about known_on request grounds evidence contact signed_at",
        "project interest objection elsewhere",
    ),
    "complaint-withdrawal": _says("lot complaint reason signed_at", "project"),
    "complaint-answer": _says("lot complaint taken_up reason signed_at", "project"),
    "complaint-brake": _says("lot complaint suspended reason signed_at", "project"),
    "complaint-decision": _says(
        "lot complaint verdict facts basis evidence order remedy investigators excluded_days"
        " signed_at",
        "project",
    ),
    "lot-order": _says("lot suspended authority document words signed_at", "project"),
    "lot-fault": _says("lot cured fallback words signed_at", "project"),
    # the draw
    "draw-commit": _says("draw party commitment share_key"),
    "draw-shares": _says("draw party shares"),
    "draw-eligibility": _says("draw party members_root"),
    "draw-reveal": _says("draw party nonce"),
    "draw-answer": _says("call answer", "reason signed_at"),
    # the committee
    "seat": _says("site number public_key"),
    "seat-presence": _says("committee seat declaration"),
    "seat-lease": _says("committee seat counter"),
    "evaluation-sign-in": _says("committee seat no_conflict discipline"),
    "scores-commit": _says("committee member round commitment", "reason ground signed_at"),
    "application-findings": _says("committee member findings signed_at", ""),
    "report-signature": _says("committee member report dissent refused"),
    # the archive
    "legal-hold": _says("lot authority document reason signed_at", ""),
    "legal-hold-end": _says("lot hold reason signed_at", ""),
    # standing
    "bar": _says(
        "subject authority document_number article misconduct reason acts decided_on starts_on"
        " ends_on"
    ),
    "lift": _says("decision authority document_number reason"),
    # a listing
    "listing": _says(
        "code title asset region words register_until starts_at ends_at starting_price step"
        " security asking_s countdown_s reserve_commitment signed_at",
        "seller relists",  # an agency names its seller; a second try the first
    ),
    "listing-reserve": _says("code reserve nonce signed_at", ""),
    "listing-registration": _says("listing signed_at", ""),
    "listing-quote": _says("listing price signed_at", ""),
    "listing-going-on": _says("listing signed_at", ""),
    "listing-deal": _says("listing code seller winner number price signed_at", ""),
    "listing-forfeiture": _says("listing reason signed_at", ""),
    "listing-suspension": _says("listing ground reason signed_at", "authority document"),
    "listing-resumption": _says("listing reason signed_at", ""),
    "listing-termination": _says("listing ground reason signed_at", "authority document"),
    "listing-voiding": _says("listing ground reason signed_at", "authority document"),
    "listing-authorisation": _says("agency code signed_at", "acts until"),
    "listing-authorisation-end": _says("letter reason signed_at", ""),
}


def said_in(kind: str, payload: object) -> dict[str, Any]:
    """The members of a payload that is a statement of this kind, or `Malformed`."""
    if not isinstance(payload, dict) or payload.get("v") != f"ebid-{kind}/1":
        raise Malformed(f"the payload is no ebid-{kind}/1", code="wrong_statement")
    form = FORMS[kind]
    said = members(payload, form.required, optional=form.optional)
    if "signed_at" in said:
        parse_instant(said["signed_at"])
    return said


def payload_type(kind: str) -> str:
    """The DSSE payload type of a kind of statement."""
    return f"application/vnd.ebid.{kind}.v1+json"


def read_statement(
    raw: bytes, kind: str, *, max_bytes: int = STATEMENT_MAX_BYTES
) -> tuple[Envelope, dict[str, Any]]:
    """The envelope and payload of a statement of this kind, with no signature verified yet.

    The payload has exactly the members that `FORMS` names for its kind.
    """
    envelope = Envelope.from_bytes(raw, max_bytes=max_bytes)
    if envelope.payload_type != payload_type(kind):
        raise Malformed(f"a statement of the kind {kind} was expected", code="wrong_statement")
    return envelope, said_in(kind, strict_json(envelope.payload, max_bytes))
