"""What happens in trading, in the past tense, with the circle that may know.

Until a lot is published only those who draft it know of it. Between its publication and its close
nobody learns who took the documents or who bid (招标投标法 22; 电子招标投标办法 21).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from kernel.events import Audience, Event


@dataclass(frozen=True, slots=True)
class ProjectCreated(Event):
    """A project was entered; only the side that tenders knows of it yet."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    code: str
    name: str
    tenderee_id: UUID
    agency_id: UUID | None


@dataclass(frozen=True, slots=True)
class AgencyAuthorised(Event):
    """The tenderee signed that an agency acts for it in this project."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    agency_id: UUID
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class AgencyAuthorityEnded(Event):
    """The tenderee ended an agency's authorisation in this project."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    agency_id: UUID
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class LotDrafted(Event):
    """A lot was drafted or redrafted; nobody but its owners knows of it."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    number: int
    terms_digest: bytes


@dataclass(frozen=True, slots=True)
class DraftDropped(Event):
    """A draft was given up before anyone else knew of it."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID


@dataclass(frozen=True, slots=True)
class CustodianNamed(Event):
    """A person was named to keep a key of a lot; that person's organisation learns of it."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    custodian_id: UUID
    escrow_shares: int


@dataclass(frozen=True, slots=True)
class CustodianKeyRegistered(Event):
    """A custodian registered the public key of a lot; the side that tenders learns of it."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    custodian_id: UUID
    kid: str
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class InviteesNamed(Event):
    """Those to be invited to a lot were listed, and drawn where they must be; its owners know."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    source: str
    listed: tuple[UUID, ...]
    invited: tuple[UUID, ...]
    seed: bytes | None


@dataclass(frozen=True, slots=True)
class AwardMethodNamed(Event):
    """A draft says how its winner is chosen among the candidates, or no longer; its owners know."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    method: str | None


@dataclass(frozen=True, slots=True)
class BidderInvited(Event):
    """An organisation was invited to bid; no other hears of it, nor how many there are."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID


@dataclass(frozen=True, slots=True)
class LotPublished(Event):
    """A lot was published with its signed notice, timetable and opening policy.

    From here to its close, who takes part in it is sealed.
    """

    audience: ClassVar[Audience] = Audience.PUBLIC
    seals: ClassVar[bool] = True
    project_id: UUID
    project_code: str
    number: int
    name: str
    tenderee_id: UUID
    agency_id: UUID | None
    ceiling_price: Decimal | None
    documents_from: datetime
    documents_until: datetime
    bids_due_at: datetime
    notice_digest: bytes
    timetable_digest: bytes
    policy_digest: bytes


@dataclass(frozen=True, slots=True)
class ClarificationPublished(Event):
    """The tender documents were clarified or modified, for everyone at the same moment.

    It goes to the public, since a list of those who took the documents would reveal them.
    """

    audience: ClassVar[Audience] = Audience.PUBLIC
    number: int
    title: str
    may_affect_bids: bool
    version: int
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class TimetableAmended(Event):
    """A lot's times were moved by a signed amendment."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    version: int
    previous: bytes
    timetable_digest: bytes
    old_bids_due_at: datetime
    bids_due_at: datetime


@dataclass(frozen=True, slots=True)
class LotCancelled(Event):
    """A tender was ended by its tenderee or declared void; what was sealed goes to supervisors.

    To nobody else, ever, where the lot ended before its close: those who meant to bid may well bid
    when it is tendered again. Its sealed time ends all the same, so that it keeps no day's fillers
    of the log undisclosed.
    """

    audience: ClassVar[Audience] = Audience.PUBLIC
    discloses: ClassVar[bool] = True
    reason: str
    promises: tuple[str, ...]
    return_due_at: datetime | None
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class LotMoved(Event):
    """A lot went from one state to the next."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    came_from: str
    went_to: str
    move: str
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class LotSuspended(Event):
    """The brake was pulled: the lot keeps its place and takes no step."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    cause: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class LotResumed(Event):
    """The last brake was released, and the lot may go on."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    cause: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class DocumentsTaken(Event):
    """A bidder took the tender documents; no list of these exists before the close."""

    audience: ClassVar[Audience] = Audience.SEALED_UNTIL_CLOSE
    package_digest: bytes


@dataclass(frozen=True, slots=True)
class BidderReleased(Event):
    """A bidder released its own secrets inside the window; nobody can read anything yet."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    bidder_id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class ReleaseRefused(Event):
    """What a bidder sent does not match what it had sealed; it may try again in the window."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    bidder_id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class ReleaseWindowClosed(Event):
    """The window ended: who released, who did not, and who of those had chosen escrow."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    barrier: ClassVar[bool] = True
    released: tuple[UUID, ...]
    missing: tuple[UUID, ...]
    escrowed: tuple[UUID, ...]
    policy_digest: bytes
    timetable_version: int
    timetable_digest: bytes


@dataclass(frozen=True, slots=True)
class FallbackAgreed(Event):
    """One side signed that custodians may open the escrowed bids of absent bidders."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    side: str
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class SharesGiven(Event):
    """A custodian released its shares."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    custodian_id: UUID
    kid: str
    name: str


@dataclass(frozen=True, slots=True)
class ShareRefused(Event):
    """A custodian sent a share that is not the one it was dealt."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    custodian_id: UUID
    kid: str
    name: str


@dataclass(frozen=True, slots=True)
class BidsOpened(Event):
    """All bids were opened, and what they say appears at once."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    barrier: ClassVar[bool] = True
    bids: tuple[dict[str, object], ...]


@dataclass(frozen=True, slots=True)
class AgreementOpened(Event):
    """The agreement of a consortium lay in a bid that was opened; by the digest of its bytes."""

    audience: ClassVar[Audience] = Audience.PARTICIPANTS
    bid_id: UUID
    agreement_digest: bytes


@dataclass(frozen=True, slots=True)
class OpeningObjectionRaised(Event):
    """A bidder objected to the opening on the spot."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    objection_id: UUID
    bidder_id: UUID
    name: str
    words: str


@dataclass(frozen=True, slots=True)
class OpeningObjectionAnswered(Event):
    """An objection to the opening was answered on the spot: whether it stands."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    objection_id: UUID
    answer: str
    outcome: str


@dataclass(frozen=True, slots=True)
class OpeningRecorded(Event):
    """The opening record was signed and published, after everything that it tells."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    barrier: ClassVar[bool] = True
    record_digest: bytes


@dataclass(frozen=True, slots=True)
class BidSubmitted(Event):
    """A sealed bid was taken in; its author has a receipt, and nobody else knows.

    `nonce` is what hides this submission in the cut that the closing commits to, so that whoever
    holds the receipt can show that it stands there. `previous` is the entry of the submission that
    this one replaces.
    """

    audience: ClassVar[Audience] = Audience.SEALED_UNTIL_CLOSE
    receipted: ClassVar[bool] = True
    project_id: UUID
    tender_title_digest: bytes
    bidder_id: UUID
    seq: int
    submission: bytes
    envelopes: tuple[dict[str, object], ...]
    policy: bytes
    received_at: datetime
    deadline: datetime
    timetable_version: int
    nonce: bytes
    previous: UUID | None
    platform_build: str
    demo: bool


@dataclass(frozen=True, slots=True)
class BidWithdrawn(Event):
    """A bidder took its bid back before the deadline (招标投标法 29); its author has a receipt."""

    audience: ClassVar[Audience] = Audience.SEALED_UNTIL_CLOSE
    receipted: ClassVar[bool] = True
    project_id: UUID
    bidder_id: UUID
    seq: int
    submission: bytes
    received_at: datetime
    deadline: datetime
    timetable_version: int
    nonce: bytes
    previous: UUID | None
    platform_build: str
    demo: bool


@dataclass(frozen=True, slots=True)
class BidRefused(Event):
    """A submission was turned away, with every ground; before the close only its author knows."""

    audience: ClassVar[Audience] = Audience.SEALED_UNTIL_CLOSE
    bidder_id: UUID
    submission: bytes
    bytes_received: int
    received_at: datetime
    deadline: datetime
    grounds: tuple[dict[str, object], ...]


@dataclass(frozen=True, slots=True)
class SubmissionFailedByPlatform(Event):
    """A submission that came in time was not taken in, and the fault is the platform's.

    Its bidder is not to suffer for it (电子招标投标办法 31): this entry is the evidence.
    """

    audience: ClassVar[Audience] = Audience.SEALED_UNTIL_CLOSE
    addressee_id: UUID
    submission: bytes
    received_at: datetime
    deadline: datetime
    lot_state: str
    reason: str


@dataclass(frozen=True, slots=True)
class LotClosing(Event):
    """The deadline passed, and what had arrived by then was committed to: the cut.

    The digest is salted and tells neither who nor how many; `LotClosed` opens it.
    """

    audience: ClassVar[Audience] = Audience.PUBLIC
    barrier: ClassVar[bool] = True
    cut_digest: bytes
    deadline: datetime
    timetable_version: int
    timetable_digest: bytes


@dataclass(frozen=True, slots=True)
class LotClosed(Event):
    """The lot is closed, and these are the bids that count, in the order of their arrival.

    `cut_salt` and `cut_commitments` open the cut: a submission whose commitment stands there
    arrived before it. Commitments are padded with random ones, so their number says nothing.
    """

    audience: ClassVar[Audience] = Audience.PUBLIC
    discloses: ClassVar[bool] = True
    barrier: ClassVar[bool] = True
    bids: tuple[dict[str, object], ...]
    cut_digest: bytes
    cut_salt: bytes
    cut_commitments: tuple[bytes, ...]
    policy_digest: bytes
    timetable_version: int
    timetable_digest: bytes


@dataclass(frozen=True, slots=True)
class LotFailed(Event):
    """A lot failed: too few bidders, or nothing left to evaluate; it is to be tendered again."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    code: str
    reason: str
    article: str


@dataclass(frozen=True, slots=True)
class BidsRead(Event):
    """Somebody looked into the opened bids: at all of them, at one bid's files, or at one file."""

    audience: ClassVar[Audience] = Audience.SUPERVISORS
    reader: str
    bid_id: UUID | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True)
class SoleSupplierNamed(Event):
    """A draft says to which one supplier it is put; its owners alone know until its notice does."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    supplier_id: UUID


@dataclass(frozen=True, slots=True)
class PriceOffered(Event):
    """The record of a price agreed with the only supplier was signed first; it waits for more.

    Purchaser, agency and supplier know of it, and nobody else before the result is published.
    """

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    number: int
    agreement_digest: bytes


@dataclass(frozen=True, slots=True)
class PriceAgreed(Event):
    """Everybody of the group and the supplier have signed the price; the same few know."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    number: int
    agreement_digest: bytes


@dataclass(frozen=True, slots=True)
class TalksFailed(Event):
    """The purchaser ended the talks with the only supplier without a price, by a signed notice."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    ground: str
    reason: str
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class ReportTaken(Event):
    """The committee's signed report was taken over and moved the lot.

    Who is recommended stays with those who supervise until the candidates are published. `papers`
    are the digests of what else was signed towards it and stands in no entry they may read: last
    prices with their openings, or the signatures under an agreed price.
    """

    audience: ClassVar[Audience] = Audience.SUPERVISORS
    round: int
    report_digest: bytes
    candidates: tuple[UUID, ...]
    rejected: tuple[UUID, ...]
    all_rejected: bool
    papers: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class CandidatesPublished(Event):
    """The candidates were published in their order, with every bid's place or rejection."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    round: int
    candidates: tuple[dict[str, object], ...]
    ranking: tuple[dict[str, object], ...]
    rejected: tuple[dict[str, object], ...]
    report_digest: bytes
    statement_digest: bytes
    until: datetime


@dataclass(frozen=True, slots=True)
class ObjectionRaised(Event):
    """An objection was raised; who objects and why is told on the page to those concerned.

    Before the close the objector's name would tell who means to bid (招标投标法 22).
    """

    audience: ClassVar[Audience] = Audience.PUBLIC
    objection_id: UUID
    about: str
    statement_digest: bytes
    waits: bool
    answer_due_at: datetime


@dataclass(frozen=True, slots=True)
class ObjectionAnswered(Event):
    """An objection was answered, in time or late: whether it stands, and what follows."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    objection_id: UUID
    about: str
    statement_digest: bytes
    late: bool
    outcome: str
    remedy: str


@dataclass(frozen=True, slots=True)
class OwnObjectionAnswered(Event):
    """The same, told to whoever objected, once the lot was closed: before, to be addressed would
    tell who means to bid (招标投标法 22).
    """

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    objection_id: UUID
    about: str
    outcome: str
    remedy: str


@dataclass(frozen=True, slots=True)
class ObjectionRemedied(Event):
    """What follows from an objection that stands was done, by the act of this digest."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    objection_id: UUID
    about: str
    remedy: str
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class AwardNoticed(Event):
    """The award notice (中标通知书) went to the winner."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    price: Decimal
    statement_digest: bytes
    contract_due_on: date


@dataclass(frozen=True, slots=True)
class ResultNoticed(Event):
    """A bidder who did not win was told the result, at the moment the winner was told.

    `members` are those of a winning consortium, the leading one first.
    """

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    winner_id: UUID
    winner: str
    members: tuple[dict[str, object], ...]
    price: Decimal
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class AwardPublished(Event):
    """The award was made and published.

    `members` are those of a winning consortium, the leading one first; `report_due_on` is the day
    by which the supervising department gets its written report. `number` is its place among the
    lot's awards, of which all before it fell away. `lapsed` names each candidate whom its bid bound
    no longer: over which request to be bound longer, since when, and its signed refusal if any.
    `unfit` names each whom the committee found unfit when it examined it again, and which time.
    """

    audience: ClassVar[Audience] = Audience.PUBLIC
    barrier: ClassVar[bool] = True
    number: int
    winner_id: UUID
    winner: str
    members: tuple[dict[str, object], ...]
    rank: int
    price: Decimal
    report_digest: bytes
    statement_digest: bytes
    contract_due_on: date
    report_due_on: date | None
    lapsed: tuple[dict[str, object], ...]
    unfit: tuple[dict[str, object], ...]


@dataclass(frozen=True, slots=True)
class AwardVoteCast(Event):
    """A member of the award committee voted; for whom is told with the award, and not before."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    award_number: int
    member: str
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class AwardRenounced(Event):
    """A winner gave its award up; the tenderee has yet to annul it."""

    audience: ClassVar[Audience] = Audience.SUPERVISORS
    number: int
    winner_id: UUID
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class RenunciationReceived(Event):
    """A winner gave its award up; told to the tenderee, to its agency, and to the winner itself."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    number: int
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class AwardAnnulled(Event):
    """An award fell away; the next in order may be named, or the lot is tendered again."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    barrier: ClassVar[bool] = True
    number: int
    winner_id: UUID
    winner: str
    ground: str
    article: str
    award_digest: bytes
    renunciation_digest: bytes | None
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class RecheckAsked(Event):
    """The committee is to examine a candidate again before the award; whom, it alone is told."""

    audience: ClassVar[Audience] = Audience.COMMITTEE
    number: int
    candidate_id: UUID
    ground: str
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class RecheckReceived(Event):
    """The same, told to those who tender and to the candidate."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    number: int
    ground: str
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class RecheckOpinionGiven(Event):
    """A member of the committee said what it found; what that is, is told with the conclusion."""

    audience: ClassVar[Audience] = Audience.COMMITTEE
    number: int
    member: int
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class RecheckConcluded(Event):
    """The majority of the original committee confirmed a candidate, or found it unfit.

    `members` is how many sit in it, `unfit` how many of them hold that the candidate no longer
    meets the standards; `opinions` are the digests of what was signed, by the members' numbers.
    """

    audience: ClassVar[Audience] = Audience.PUBLIC
    barrier: ClassVar[bool] = True
    number: int
    candidate_id: UUID
    candidate: str
    ground: str
    confirmed: bool
    members: int
    unfit: int
    report_digest: bytes
    request_digest: bytes
    opinions: tuple[dict[str, object], ...]


@dataclass(frozen=True, slots=True)
class AwardDecided(Event):
    """The tenderee chose among the candidates by the method of its notice; `minutes` say how."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    method: str
    winner_id: UUID
    minutes: dict[str, object]
    statement_digest: bytes


# ── listings (挂牌竞价) ─────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class ListingAnnounced(Event):
    """A listing was announced with its signed terms; from here to its end, who bids is sealed.

    `reserve_commitment` is a salted digest: that there is a reserve is public, what it is is not.
    """

    audience: ClassVar[Audience] = Audience.PUBLIC
    seals: ClassVar[bool] = True
    code: str
    title: str
    seller_id: UUID
    register_until: datetime
    starts_at: datetime
    ends_at: datetime
    starting_price: Decimal
    step: Decimal
    security: Decimal
    reserve_commitment: bytes | None
    statement_digest: bytes
    agency_id: UUID | None = None
    relists: UUID | None = None


@dataclass(frozen=True, slots=True)
class ListingBidderRegistered(Event):
    """A bidder registered for a listing and got its number; nobody else knows whose it is."""

    audience: ClassVar[Audience] = Audience.SEALED_UNTIL_CLOSE
    bidder_number: int
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class ListingBidderAdmitted(Event):
    """A bidder's security is here whole and in time: it may name prices, and is told so."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    bidder_number: int
    paid: Decimal
    arrived_at: datetime


@dataclass(frozen=True, slots=True)
class ListingQuoted(Event):
    """A higher price was named; its bidder is a number until the deal."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    number: int
    bidder_number: int
    price: Decimal
    received_at: datetime
    phase_ends_at: datetime
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class ListingQuoteRefused(Event):
    """A price was not taken, with every ground; until the end only its bidder knows."""

    audience: ClassVar[Audience] = Audience.SEALED_UNTIL_CLOSE
    bidder_id: UUID
    price: Decimal
    received_at: datetime
    statement_digest: bytes
    grounds: tuple[dict[str, object], ...]


@dataclass(frozen=True, slots=True)
class ListingGoesOn(Event):
    """A bidder said that it goes on; who else does, it learns when the bidding begins."""

    audience: ClassVar[Audience] = Audience.SEALED_UNTIL_CLOSE
    bidder_number: int
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class ListingMoved(Event):
    """A listing went from one phase to the next; `goes_on` are the numbers that bid on."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    came_from: str
    went_to: str
    phase_ends_at: datetime
    goes_on: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ListingEnded(Event):
    """A listing ended: who won for how much, or why nobody did, and what the reserve was.

    With its nonce the reserve opens the commitment that was announced. `bidders` names those who
    quoted where there was a deal; where there was none they stay numbers, for they may well come
    again when it is listed again.
    """

    audience: ClassVar[Audience] = Audience.PUBLIC
    discloses: ClassVar[bool] = True
    barrier: ClassVar[bool] = True
    sold: bool
    why: str
    winner_id: UUID | None
    winner: str | None
    bidder_number: int | None
    price: Decimal | None
    reserve: Decimal | None
    reserve_nonce: bytes | None
    quotes: int
    bidders: tuple[dict[str, object], ...]


@dataclass(frozen=True, slots=True)
class ListingDealSigned(Event):
    """One side signed the deal's confirmation (成交确认书); with both sides it is made."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    side: str
    complete: bool
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class ListingSuspended(Event):
    """A listing stands still, on this ground; `basis` is its article, or whose decision it is."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    ground: str
    basis: str
    reason: str
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class ListingResumed(Event):
    """A listing goes on; `ends_at` is when what it is in ends now."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    reason: str
    ends_at: datetime
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class ListingTerminated(Event):
    """A listing was ended before its time; what was sealed goes to supervisors, and no further.

    The reserve stays closed, and bidders stay numbers: it may well be listed again.
    """

    audience: ClassVar[Audience] = Audience.PUBLIC
    discloses: ClassVar[bool] = True
    ground: str
    basis: str
    reason: str
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class ListingVoided(Event):
    """The result of a listing is void by a decision that `basis` names."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    ground: str
    basis: str
    reason: str
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class ListingEntrusted(Event):
    """A seller signed what an agency may do for its listing of a code, which need not exist yet."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    seller_id: UUID
    code: str
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class ListingEntrustmentEnded(Event):
    """A seller ended what it had entrusted to an agency."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    seller_id: UUID
    code: str
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class ListingSecurityArrived(Event):
    """A payment for a listing arrived; `in_time` says whether before registration ended."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    amount: Decimal
    received_at: datetime
    in_time: bool


@dataclass(frozen=True, slots=True)
class ListingSecurityReturned(Event):
    """A bidder's security in a listing went back."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    cause: str
    principal: Decimal
    late: bool


@dataclass(frozen=True, slots=True)
class ListingSecurityKept(Event):
    """The winner of a listing did not sign its deal; the seller keeps the deposit."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    bidder_number: int
    article: str
    amount: Decimal
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class OwnListingSecurityKept(Event):
    """The seller of a listing keeps a winner's deposit; the winner is told."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    article: str
    amount: Decimal
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class ListingSecuritiesOverdue(Event):
    """Securities of a listing did not go back in their days; those who supervise are told."""

    audience: ClassVar[Audience] = Audience.SUPERVISORS
    due_at: datetime


# ── the contract and after ────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class AwardReported(Event):
    """The written report on the tender and its award reached the supervising department."""

    audience: ClassVar[Audience] = Audience.SUPERVISORS
    statement_digest: bytes
    late: bool


@dataclass(frozen=True, slots=True)
class DutyOverdue(Event):
    """A duty after the award was not done in its days; those who supervise are told."""

    audience: ClassVar[Audience] = Audience.SUPERVISORS
    duty: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class OwnDutyOverdue(Event):
    """A duty after the award was not done in its days; one of those who owe it is told."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    duty: str
    due_at: datetime


# ── reminders ─────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class OpeningNear(Event):
    """Bids are due soon, and the opening follows; the moment was published with the lot."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    due_at: datetime


@dataclass(frozen=True, slots=True)
class ReleaseWindowEnding(Event):
    """The time for decrypting ends soon; told to one bidder who has not decrypted yet."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    due_at: datetime


@dataclass(frozen=True, slots=True)
class SharesAwaited(Event):
    """Key shares are asked for from this moment; told to a custodian's side that gave none yet."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    due_at: datetime


@dataclass(frozen=True, slots=True)
class PublicityEnding(Event):
    """The candidates are published for a short time more; objections end with it."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    due_at: datetime


@dataclass(frozen=True, slots=True)
class AnswerFallingDue(Event):
    """An objection is to be answered soon; one of those who owe the answer is told."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    objection_id: UUID
    due_at: datetime


@dataclass(frozen=True, slots=True)
class DecisionFallingDue(Event):
    """A purchase is to be decided, or its result told, soon; one of its own side is told."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    duty: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class SilenceDecided(Event):
    """A purchaser decided nothing in its days, and the first in rank counts as its choice.

    Who that is stands in the report, and is told with the candidates, not here.
    """

    audience: ClassVar[Audience] = Audience.PUBLIC
    due_at: datetime


@dataclass(frozen=True, slots=True)
class ContractFallingDue(Event):
    """The contract is to be signed soon; one of its two sides, or the agency, is told."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    due_at: datetime


# ── the contract ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class ContractOffered(Event):
    """The tenderee signed the contract; the winner is told that it waits for its signature."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    version: int
    contract_digest: bytes


@dataclass(frozen=True, slots=True)
class ContractConcluded(Event):
    """Both sides signed the contract, and with that it is public."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    number: str
    winner_id: UUID
    winner: str
    price: Decimal
    contract_digest: bytes
    late: bool


@dataclass(frozen=True, slots=True)
class CommitmentsHandedOn(Event):
    """From the award to its performance: what the winner promised in its bid, to be held to it."""

    audience: ClassVar[Audience] = Audience.PARTICIPANTS
    award_digest: bytes
    contract_digest: bytes
    winner_id: UUID
    price: Decimal
    quality: str
    period: str
    manager: str


@dataclass(frozen=True, slots=True)
class PerformanceReturned(Event):
    """From performance back to the award: how the winner keeps what it promised there.

    `what` is a change, a report or the settlement; `price` and `period` are as they stand now,
    `late` says that something came after its day.
    """

    audience: ClassVar[Audience] = Audience.SUPERVISORS
    award_digest: bytes
    winner_id: UUID
    what: str
    statement_digest: bytes
    price: Decimal
    period: str
    late: bool


@dataclass(frozen=True, slots=True)
class ContractFiled(Event):
    """The contract's copy was filed."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    authority: str
    reference: str
    statement_digest: bytes
    late: bool


@dataclass(frozen=True, slots=True)
class ContractChangeOffered(Event):
    """One side signed a change of the contract; the other is told."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    number: int
    change_digest: bytes


@dataclass(frozen=True, slots=True)
class ContractChanged(Event):
    """Both sides signed a change; `price` is what the contract comes to with all changes so far."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    number: int
    reason: str
    amount: Decimal
    price: Decimal
    change_digest: bytes


@dataclass(frozen=True, slots=True)
class PerformanceReported(Event):
    """One side reported progress, a payment, a milestone or a subcontract."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    side: str
    what: str
    on: date
    late: bool
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class ContractSettled(Event):
    """The audited settlement was published, and by how much it differs from the award price."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    awarded: Decimal
    settled: Decimal
    difference: Decimal
    statement_digest: bytes


# ── questions ─────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class QuestionAsked(Event):
    """Somebody asked about the tender documents; whoever asked sees it, and nobody else ever.

    That a question was asked its readers learn from its text alone. Who asks means to bid, so the
    entry is not opened for supervisors after the close either.
    """

    audience: ClassVar[Audience] = Audience.SEALED_UNTIL_CLOSE
    after_close: ClassVar[Audience] = Audience.NOBODY
    question_id: UUID
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class TenderFileEdited(Event):
    """The blocks, figures or answers of a draft's tender file were changed; its owners know."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    revision: int
    file_digest: bytes


# ── objections taken back, and complaints ─────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class ObjectionWithdrawn(Event):
    """Whoever objected took the objection back before it was answered."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    objection_id: UUID
    about: str
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class ComplaintFiled(Event):
    """A complaint came in; who complains stands on its page, once the lot is closed.

    Before the close the complainant's name would tell who means to bid (招标投标法 22).
    """

    audience: ClassVar[Audience] = Audience.SUPERVISORS
    complaint_id: UUID
    about: str
    statement_digest: bytes
    acceptance_due_at: datetime


@dataclass(frozen=True, slots=True)
class ComplaintWithdrawn(Event):
    """Whoever complained took the complaint back before it was decided."""

    audience: ClassVar[Audience] = Audience.SUPERVISORS
    complaint_id: UUID
    about: str
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class ComplaintTakenUp(Event):
    """A supervisor took a complaint up and decides it by this instant."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    complaint_id: UUID
    about: str
    handler_id: UUID
    statement_digest: bytes
    decision_due_at: datetime


@dataclass(frozen=True, slots=True)
class ComplaintRefused(Event):
    """A supervisor did not take a complaint up; its complainant reads why."""

    audience: ClassVar[Audience] = Audience.SUPERVISORS
    complaint_id: UUID
    about: str
    handler_id: UUID
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class ComplaintOrderGiven(Event):
    """A supervisor signed that the lot stands still over a complaint, or that it goes on."""

    audience: ClassVar[Audience] = Audience.SUPERVISORS
    complaint_id: UUID
    suspended: bool
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class LotHalted(Event):
    """A supervisor's order or a fault of the system halts a lot, or lets it go on."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    ground: str
    suspended: bool
    authority: str
    document: str
    words: str
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class ComplaintDecided(Event):
    """A complaint was decided, and the decision stands among the lot's notices."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    complaint_id: UUID
    about: str
    verdict: str
    consequence: str
    notice_number: int
    statement_digest: bytes
    late: bool


@dataclass(frozen=True, slots=True)
class AwardVoided(Event):
    """A decision on a complaint declared an award void; its tenderee chooses what comes then."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    complaint_id: UUID
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class LibraryEntryMade(Event):
    """An organisation entered a licence or a performance, the subject; what it says stays apart."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    kind: str
    statement_digest: bytes
    file_digest: bytes
    replaces: UUID | None


@dataclass(frozen=True, slots=True)
class LibraryEntryJudged(Event):
    """The centre compared an entry, the subject, with its papers."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    holds: bool


@dataclass(frozen=True, slots=True)
class LibraryEntryWithdrawn(Event):
    """An organisation took an entry, the subject, out of use."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID


@dataclass(frozen=True, slots=True)
class LicenceExpiring(Event):
    """A licence, the subject, ends within so many days; its holder alone is told."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    days: int


# ── bid securities ────────────────────────────────────────────────────────────────────────────
#
# Who asked for a number, paid or filed a guarantee means to bid: each of these is for that party
# alone, and stays so, for who paid and did not bid is never named.


@dataclass(frozen=True, slots=True)
class SecurityReferenceGiven(Event):
    """A bidder got the number under which it pays its security."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    reference: str


@dataclass(frozen=True, slots=True)
class GuaranteeFiled(Event):
    """A bidder filed a guarantee as its security."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    amount: Decimal
    valid_until: date
    document_digest: bytes
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class SecurityArrived(Event):
    """A bidder's payment arrived; `in_time` says whether before the deadline."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    amount: Decimal
    received_at: datetime
    in_time: bool


@dataclass(frozen=True, slots=True)
class StatementTaken(Event):
    """The account's keeper took in a bank's statement; of whom it tells is said nowhere."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    lines: int
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class SecurityReturned(Event):
    """A bidder's security went back."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    cause: str
    principal: Decimal
    interest: Decimal
    with_guarantee: bool
    late: bool


@dataclass(frozen=True, slots=True)
class SecurityForfeited(Event):
    """The tenderee keeps a security; those who supervise are told on what ground."""

    audience: ClassVar[Audience] = Audience.SUPERVISORS
    bidder_id: UUID
    ground: str
    article: str
    amount: Decimal
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class OwnSecurityForfeited(Event):
    """The tenderee keeps a security; its bidder is told on what ground."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    ground: str
    article: str
    amount: Decimal
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class PrequalificationAnnounced(Event):
    """Applications for prequalification were called for (资格预审公告)."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    round: int
    project_id: UUID
    project_code: str
    number: int
    name: str
    tenderee_id: UUID
    agency_id: UUID | None
    documents_until: datetime
    applications_due_at: datetime
    window_until: datetime
    notice_digest: bytes


@dataclass(frozen=True, slots=True)
class PrequalificationAmended(Event):
    """The prequalification documents were changed or clarified; the times now in force."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    round: int
    number: int
    may_affect: bool
    applications_due_at: datetime
    window_until: datetime
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class ApplicationSubmitted(Event):
    """A sealed application was taken in; its author has a receipt, and nobody else knows.

    Not even once the bids are: that somebody applied and failed is nobody else's business.
    """

    audience: ClassVar[Audience] = Audience.PARTY
    receipted: ClassVar[bool] = True
    addressee_id: UUID
    round: int
    seq: int
    application: bytes
    head: bytes
    payload_size: int
    payload_root: bytes
    payload_sha256: bytes
    notice_digest: bytes
    received_at: datetime
    deadline: datetime
    demo: bool


@dataclass(frozen=True, slots=True)
class ApplicationWithdrawn(Event):
    """An application was taken back before the deadline."""

    audience: ClassVar[Audience] = Audience.PARTY
    receipted: ClassVar[bool] = True
    addressee_id: UUID
    round: int
    seq: int
    application: bytes
    received_at: datetime
    deadline: datetime
    demo: bool


@dataclass(frozen=True, slots=True)
class ApplicationRefused(Event):
    """An application was turned away, on these grounds."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    round: int
    application: bytes
    received_at: datetime
    deadline: datetime
    grounds: tuple[dict[str, object], ...]


@dataclass(frozen=True, slots=True)
class ApplicationReleased(Event):
    """An applicant opened its application for the review."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    round: int
    head: bytes


@dataclass(frozen=True, slots=True)
class ApplicationsRead(Event):
    """Somebody of the tenderee's side looked into the opened applications."""

    audience: ClassVar[Audience] = Audience.PARTY
    round: int
    application_id: UUID | None = None
    file: str = ""


@dataclass(frozen=True, slots=True)
class PrequalificationDecided(Event):
    """An applicant was told whether it passed, and on which conditions it failed (结果通知书)."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    round: int
    passed: bool
    reasons: tuple[dict[str, object], ...]


@dataclass(frozen=True, slots=True)
class PrequalificationEnded(Event):
    """The review is over: enough passed, or the lot is tendered again. Never how many, nor who.

    The digest of the signed review binds its author to it and tells nobody what it says: it names
    each application by an id that only its applicant and the reviewers know.
    """

    audience: ClassVar[Audience] = Audience.PUBLIC
    round: int
    enough: bool
    review_digest: bytes


@dataclass(frozen=True, slots=True)
class LegalHoldSet(Event):
    """A supervisor ordered that nothing of a lot be erased."""

    audience: ClassVar[Audience] = Audience.SUPERVISORS
    hold_id: UUID
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class LegalHoldLifted(Event):
    """A supervisor lifted a legal hold."""

    audience: ClassVar[Audience] = Audience.SUPERVISORS
    hold_id: UUID
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class ArchiveTaken(Event):
    """Somebody took the archive package of a lot that had ended; its manifest's digest."""

    audience: ClassVar[Audience] = Audience.SUPERVISORS
    reader: str
    manifest_digest: bytes


@dataclass(frozen=True, slots=True)
class LibraryEntryErased(Event):
    """What a library entry, the subject, said was erased with its paper; its digests stay."""

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID


# ── the bids' validity ────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class ValidityExtensionAsked(Event):
    """All who bid were asked to stay bound longer; who did is public since the close."""

    audience: ClassVar[Audience] = Audience.PUBLIC
    number: int
    validity_days: int
    valid_until: datetime
    answer_by: datetime
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class ValidityExtensionAnswered(Event):
    """A bidder agreed to stay bound longer, or refused and leaves; owners read it on their page."""

    audience: ClassVar[Audience] = Audience.SUPERVISORS
    bidder_id: UUID
    number: int
    agreed: bool
    statement_digest: bytes


# ── talks and last prices (谈判、磋商) ─────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class SupplierAddressed(Event):
    """The group put something to a supplier: a talk, a change of the demand, or its last price.

    `due_at` is when a last price is due. What was said is read on the supplier's own page.
    """

    audience: ClassVar[Audience] = Audience.PARTY
    addressee_id: UUID
    about: str
    number: int
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TalkHeld(Event):
    """The group talked with one supplier; the words are kept and stand in no entry."""

    audience: ClassVar[Audience] = Audience.COMMITTEE
    bid_id: UUID
    turn: int
    words_digest: bytes


@dataclass(frozen=True, slots=True)
class TalkAnswered(Event):
    """A supplier answered in the talks."""

    audience: ClassVar[Audience] = Audience.COMMITTEE
    bid_id: UUID
    turn: int
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class DemandChanged(Event):
    """The purchaser's representative confirmed a change of the demand; all were told at once."""

    audience: ClassVar[Audience] = Audience.COMMITTEE
    number: int
    words_digest: bytes
    told: int


@dataclass(frozen=True, slots=True)
class SupplierLeft(Event):
    """A supplier left the talks before its last price."""

    audience: ClassVar[Audience] = Audience.COMMITTEE
    bid_id: UUID
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class LastPricesCalled(Event):
    """The talks are over, and all who are left were asked for their last price."""

    audience: ClassVar[Audience] = Audience.COMMITTEE
    asked: tuple[UUID, ...]
    due_at: datetime
    window_until: datetime


@dataclass(frozen=True, slots=True)
class LastPriceHandedIn(Event):
    """A supplier committed to its last price; it has a receipt, and nobody else knows."""

    audience: ClassVar[Audience] = Audience.PARTY
    receipted: ClassVar[bool] = True
    addressee_id: UUID
    seq: int
    commitment: bytes
    statement_digest: bytes
    received_at: datetime
    deadline: datetime
    demo: bool


@dataclass(frozen=True, slots=True)
class LastPriceOpened(Event):
    """A supplier opened its last price; what it is stands in no entry.

    It stands in a later log batch than every last price that was handed in, so that nobody need
    believe that none was named after another had been read.
    """

    audience: ClassVar[Audience] = Audience.PARTY
    barrier: ClassVar[bool] = True
    addressee_id: UUID
    commitment: bytes
    statement_digest: bytes


# ── personal data ─────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class ErasureRequested(Event):
    """A person, the subject, asked to be forgotten; the centre answers, and nobody else knows."""

    audience: ClassVar[Audience] = Audience.NOBODY


@dataclass(frozen=True, slots=True)
class ErasureDeclined(Event):
    """The centre told a person, the subject, why he cannot be forgotten yet."""

    audience: ClassVar[Audience] = Audience.NOBODY
