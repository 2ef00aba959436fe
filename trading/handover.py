"""The door between trading and evaluation: opened bids go out, the signed report comes back.

Evaluation knows trading only by what stands here. Every look into the bids is recorded, because
what a bid says is a secret of the room until the candidates are published. The report and the lot
move in one transaction: there is no moment at which one is there without the other.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto.digests import sha256, unb64u
from kernel.errors import BrokenSeal, NotFound, Refused
from kernel.identifiers import BidId, LotId, PartyId, ProjectId
from kernel.refusals import Caution, Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    E_BIDDING_MEASURES,
    PROCUREMENT_LAW,
    Article,
    Regime,
)
from kernel.store.parties import organisations_by_id, take_part
from kernel.store.tables import JournalRow
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day
from trading import (
    agency_letters,
    application_review,
    consortia,
    library_views,
    lots,
    rechecking,
    talking,
)
from trading.bidder_ties import ties_of
from trading.cataloguing import is_large
from trading.counted_bids import CountedBid, SealedEnvelope, counted_bids
from trading.events import BidsRead, LotFailed, ReportTaken
from trading.library import own_drawer
from trading.prequalification_rounds import phase_now, qualified_members
from trading.rules import procurement_methods
from trading.rules.agency_scope import AgencyAct
from trading.rules.bidder_independence import ties_between
from trading.rules.consortium_agreement import FILE as AGREEMENT
from trading.rules.consortium_agreement import (
    BidderAtLot,
    MemberSaid,
    consortia_accepted,
    counted_grades,
    findings_of,
)
from trading.rules.decryption_outcome import Decryption
from trading.rules.lot_lifecycle import (
    LotMove,
    LotState,
    move_refusals,
    was_closed,
    was_opened,
)
from trading.rules.opening_quorum import evaluation_refusals, opening_cautions
from trading.rules.prequalification import Phase, committee_refusals
from trading.rules.price_talks import TalkPhase, evaluation_waits, holds_talks
from trading.rules.procedures import Offers, Procedure, Switches, switches_of
from trading.rules.sheet_fields import references_in
from trading.sealed_archives import SealedArchive, from_archive, list_files, read_file
from trading.security_facts import standings_of
from trading.tables import (
    LotRow,
    OpenedBidRow,
    OpeningObjectionRow,
    OpeningRow,
    ProjectRow,
    RankedBidRow,
    RejectedBidRow,
    TakenReportRow,
)
from trading.talk_records import TalkFile, switches_then, talk_file

ApplicationShown = application_review.ApplicationShown
FindingMade = application_review.FindingMade
SignedReview = application_review.SignedReview
conditions_of, applications = application_review.conditions_of, application_review.applications
application_file, take_review = application_review.application_file, application_review.take_review
application_paper, own_round = application_review.application_paper, application_review.own_round
# The applications for a prequalification that a committee reviews stand in a file of their own.
TalksTold = talking.TalksTold
EntryReferred = library_views.EntryReferred
entry_referred = library_views.entry_referred
RefiledFile = talking.RefiledFile
talks_of, talk_with, refiled = talking.talks_of, talking.talk_with, talking.refiled
change_demand, call_last_prices = talking.change_demand, talking.call_last_prices
# The group's side of talks stands in a file of its own; this is the door to it.

EvidenceRead = rechecking.EvidenceRead
MemberOpinion = rechecking.MemberOpinion
RecheckBefore = rechecking.RecheckBefore
rechecks_before, recheck_evidence = rechecking.rechecks_before, rechecking.recheck_evidence
note_opinion, conclude_recheck = rechecking.note_opinion, rechecking.conclude_recheck
# So does what the committee has to do with a candidate that it examines again.

PUBLISHED: Final = frozenset(
    {LotState.CANDIDATES_PUBLISHED, LotState.CLEARED_FOR_AWARD, LotState.AWARDED}
)
REPORTED: Final = PUBLISHED | {LotState.EVALUATED}

READABLE_OUTCOMES: Final = (Decryption.OPENED, Decryption.OPENED_BY_CUSTODIANS)

READERS: Final = (
    Role.EXPERT,
    Role.OWNER_REPRESENTATIVE,
    Role.PLATFORM,
    Role.TENDEREE,
    Role.AGENCY,
    Role.SUPERVISOR,
)

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class InterestedParty:
    """An organisation to which no member of the committee may have ties, and what it is here."""

    uscc: str
    name: str
    capacity: str
    organisation_id: PartyId


@dataclass(frozen=True, slots=True)
class LotBrief:
    """A closed lot, as much of it as a committee needs; `scheme` is the published one.

    `mandatory` says whether the law demands its tender, which decides what bars reach it;
    `candidates_max` is how many candidates its procedure lets a report name, `committee_min` how
    many members at least it asks for, by `committee_article`; `opening_record` is the digest of the
    signed record of the opening, None while there is none.
    """

    lot_id: LotId
    project_id: ProjectId
    name: str
    project_name: str
    procedure: Procedure
    regime: Regime
    mandatory: bool
    candidates_max: int
    committee_min: int
    committee_article: Article
    state: LotState
    suspended: bool
    tenderee_id: PartyId
    agency_id: PartyId | None
    region_code: str
    scheme: dict[str, Any]
    ceiling_price: Decimal | None
    estimate: Decimal
    close_entry: UUID
    opening_record: bytes | None
    prices_confidential: bool = False
    """Whether nobody but the winner's price may be made known, then or later (采购法 38)."""

    inquiry: bool = False
    """Whether it is an inquiry (询价), in which every price is named once and cannot be changed."""

    under_review: bool = False
    """Whether the applications for its prequalification are reviewed now."""

    def in_evaluation(self) -> bool:
        """Whether a committee is at work: over bids that were handed over and of which no report
        came back yet, or over applications.
        """
        return self.state is LotState.IN_EVALUATION or self.under_review

    def reported(self) -> bool:
        """Whether the committee's report was taken."""
        return self.state in REPORTED

    def published(self) -> bool:
        """Whether what the committee found is public."""
        return self.state in PUBLISHED

    def awarded(self) -> bool:
        """Whether the winner is determined."""
        return self.state is LotState.AWARDED


@dataclass(frozen=True, slots=True)
class OpenedBid:
    """A bid that was opened and can be read; `code` stands for its bidder where names must not.

    `received` is its place among the bids of the lot by when they came, the first being 1. After
    talks `price` is the last price, and the first until that lies open; who left them is `gone`.
    """

    bid_id: BidId
    bidder_id: PartyId
    code: str
    name: str
    price: Decimal
    sheet: dict[str, Any]
    received: int
    gone: bool = False


@dataclass(frozen=True, slots=True)
class ProvenPrice:
    """A last price as its supplier signed it twice: sealed before the deadline, opened after."""

    bid_id: BidId
    statement: bytes
    keyid: str
    public_key: bytes
    entry_id: UUID
    opening: bytes
    opening_keyid: str
    opening_public_key: bytes
    opening_entry: UUID


@dataclass(frozen=True, slots=True)
class LastPrices:
    """The last prices of a lot, and the entry of the call that asked for them.

    `pauses` are the entries by which the lot stood still and went on before the last of them came.
    """

    call_entry: UUID
    pauses: tuple[tuple[UUID, UUID], ...]
    prices: tuple[ProvenPrice, ...]


@dataclass(frozen=True, slots=True)
class BidSecurity:
    """What a committee is told of an opened bid's security; `cautions` are for it to judge."""

    bid_id: BidId
    code: str
    state: str
    asked: Decimal
    paid_in_time: Decimal
    guaranteed: bool
    cautions: tuple[Caution, ...]


@dataclass(frozen=True, slots=True)
class ConsortiumMember:
    """A member of a consortium as its agreement names it; the best grade is 1."""

    name: str
    part: str
    grades: Mapping[str, int]
    leads: bool
    signed: bool


@dataclass(frozen=True, slots=True)
class BidderShown:
    """Who bids by one opened bid: nobody but its bidder, or the members of a consortium.

    `grades` are those by which a consortium counts, the lowest of each speciality; `findings` what
    the law holds against it as one of a consortium, for the committee to judge.
    """

    bid_id: BidId
    name: str
    members: tuple[ConsortiumMember, ...]
    grades: Mapping[str, int]
    findings: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class RankedBid:
    """A bid's place and points in the report; `parts` are (what for, points), if they are told."""

    bid_id: BidId
    bidder_id: PartyId
    name: str
    rank: int
    total: Decimal
    price: Decimal
    parts: tuple[tuple[str, Decimal], ...] = ()


@dataclass(frozen=True, slots=True)
class RejectedBid:
    """A bid the committee rejected, on which ground, by which article, and the page showing it."""

    bid_id: BidId
    bidder_id: PartyId
    name: str
    ground: str
    article: str
    page: str


@dataclass(frozen=True, slots=True)
class SignedReport:
    """A committee's report, signed by its members, with what trading must know of it.

    `report_digest` is the SHA-256 of `report`; `candidates` are bidders in the order of their
    ranks.
    """

    lot_id: LotId
    report_digest: bytes
    report: bytes
    ranking: tuple[RankedBid, ...]
    rejected: tuple[RejectedBid, ...]
    candidates: tuple[PartyId, ...]
    all_rejected: bool


# ── what goes out ─────────────────────────────────────────────────────────────────────────────


@by(
    Role.TENDEREE,
    Role.AGENCY,
    Role.PLATFORM,
    Role.CENTRE_STAFF,
    Role.SUPERVISOR,
    Role.EXPERT,
    Role.OWNER_REPRESENTATIVE,
)
async def interested(tx: Transaction, lot_id: LotId) -> tuple[InterestedParty, ...]:
    """Tenderee, agency and every bidder of a closed lot, for recusal; once the bids lie open also
    the members of their consortia.

    `Refused` before the close, and for ever where a lot ended without one: nobody may learn who
    meant to bid (招标投标法 22).
    """
    lot, project = await _closed_lot(tx, lot_id)

    capacities = _owners_of(project)
    for bid in await counted_bids(tx.session, lot.id):
        capacities[PartyId(bid.bidder_id)] = "bidder"
    if _can_be_read(lot):
        for _, bidder in await _bidders_shown(tx, lot):
            for party_id in bidder.parties:
                capacities.setdefault(party_id, "bidder")
    return await _interested_parties(tx, capacities)


@by(
    Role.TENDEREE,
    Role.AGENCY,
    Role.PLATFORM,
    Role.CENTRE_STAFF,
    Role.SUPERVISOR,
    Role.EXPERT,
    Role.OWNER_REPRESENTATIVE,
)
async def interested_in_review(
    tx: Transaction, lot_id: LotId, round: int
) -> tuple[InterestedParty, ...]:
    """Tenderee, agency and everybody who applied by an opened application, for recusal.

    `Refused` before the release window is over.
    """
    lot, project, found = await application_review.round_of(tx, lot_id, round)
    capacities = _owners_of(project)
    for party_id in await application_review.parties_of(tx, lot, found):
        capacities.setdefault(party_id, "bidder")
    return await _interested_parties(tx, capacities)


@by(*Role)
async def lot_brief(tx: Transaction, lot_id: LotId) -> LotBrief:
    """The lot as a committee needs it; `Refused` where it was never closed."""
    lot, project = await _closed_lot(tx, lot_id)
    scheme = {}
    if lot.scheme_digest is not None:
        scheme = json.loads(await tx.documents.read(lot.scheme_digest))
    switches = await switches_for(tx, lot)
    opening = await tx.once((OpeningRow, lot_id), lambda: tx.session.get(OpeningRow, lot_id))
    record = None if opening is None else opening.record
    close_entry = await tx.once(
        ("LotClosed", lot_id), lambda: lots.entry_of(tx, lot_id, "LotClosed")
    )

    return replace(
        _bare_brief(lot, project, switches, close_entry),
        scheme=scheme,
        ceiling_price=lot.ceiling_price,
        opening_record=None if record is None else sha256(record),
        prices_confidential=holds_talks(switches),
        inquiry=switches.offers is Offers.FIXED_ONCE,
    )


@by(*Role)
async def review_brief(tx: Transaction, lot_id: LotId, round: int) -> LotBrief:
    """The lot as the committee needs it that reviews the applications of a round; `Refused` before
    the release window is over.
    """
    lot, project, found = await application_review.round_of(tx, lot_id, round)
    switches = switches_of(Procedure(project.procedure), on=beijing_day(found.published_at))

    return replace(
        _bare_brief(lot, project, switches, await application_review.call_entry(tx, found)),
        under_review=await phase_now(tx, found) is Phase.REVIEWING and lot.state == LotState.DRAFT,
    )


@by(Role.TENDEREE, Role.AGENCY)
async def own_review_brief(tx: Transaction, lot_id: LotId, round: int) -> LotBrief:
    """The same for the tenderee or agency whose lot it is, where the law asks for a committee."""
    _, project = await lots.owned(tx, lot_id)
    brief = await review_brief(tx, lot_id, round)
    switches = switches_of(brief.procedure, on=beijing_day(tx.now))
    refusals = committee_refusals(switches, state_funded=project.state_funded)
    if refusals:
        raise Refused(refusals)
    return brief


@by(Role.TENDEREE, Role.AGENCY)
async def own_lot_brief(tx: Transaction, lot_id: LotId) -> LotBrief:
    """The same for the tenderee or agency whose lot it is; `NotFound` for every other."""
    brief = await lot_brief(tx, lot_id)
    if tx.actor.party not in (brief.tenderee_id, brief.agency_id):
        raise NotFound("no such lot of yours")
    return brief


@by(Role.TENDEREE, Role.AGENCY, Role.CENTRE_STAFF)
async def hand_over(tx: Transaction, lot_id: LotId) -> None:
    """Hand the opened bids over to the committee, once the opening is on record.

    Where bids that the platform failed leave fewer than three bidders, the lot fails instead.
    """
    lot = await lots.lock(tx, lot_id)
    if tx.actor.role is not Role.CENTRE_STAFF:
        _, project = await lots.owned(tx, lot_id)
        await agency_letters.require_scope(tx, project, AgencyAct.OPEN, lot_id)
    opening = await tx.session.get(OpeningRow, lot_id)
    outcomes = list(
        await tx.session.scalars(
            select(col(OpenedBidRow.outcome)).where(col(OpenedBidRow.lot_id) == lot_id)
        )
    )
    switches = await switches_for(tx, lot)

    refusals = move_refusals(LotState(lot.state), LotMove.HAND_OVER, suspended=lot.suspended)
    refusals += await _opening_unfinished(tx, lot_id, opening)
    if refusals:
        raise Refused(refusals)
    failures = evaluation_refusals(len(outcomes), outcomes.count(Decryption.WITHDRAWN), switches)

    await take_part(tx, lot_id)

    for failure in failures:
        tx.record(LotFailed(lot_id, failure.code, failure.reason, str(failure.article)))
    step = LotMove.FAIL_FOR_TOO_FEW_BIDDERS if failures else LotMove.HAND_OVER
    lots.move(tx, lot, step)


@by(Role.TENDEREE, Role.AGENCY)
async def group_cautions(
    tx: Transaction, lot_id: LotId, *, members: int, experts: int
) -> list[Caution]:
    """What is doubtful about a group of so many, and its suppliers, in what is no tender."""
    lot, project = await lots.owned(tx, lot_id)
    switches = await switches_for(tx, lot)
    if switches.offers is Offers.SEALED_ONCE:
        return []
    large = await is_large(tx, project, lot)
    suppliers = len(await counted_bids(tx.session, lot_id))
    return [
        *procurement_methods.group_cautions(members=members, experts=experts, at_threshold=large),
        *opening_cautions(suppliers, switches),
    ]


@by(*READERS)
async def opened_bids(tx: Transaction, lot_id: LotId) -> tuple[OpenedBid, ...]:
    """The bids of an opened lot that can be read, in an order that says nothing about them.

    `Refused` before the opening is over. Each look is recorded for supervisors.
    """
    lot = await _readable_lot(tx, lot_id)
    rows = await _readable_rows(tx, lot_id)
    talks = await _talks_for(tx, lot)
    names = await organisations_by_id(tx, [row.bidder_id for row in rows])
    came = {one.id: place for place, one in enumerate(await counted_bids(tx.session, lot_id), 1)}

    tx.record(BidsRead(lot_id, reader=str(tx.actor.role)))

    return tuple(
        OpenedBid(
            bid_id=BidId(row.bid_id),
            bidder_id=PartyId(row.bidder_id),
            code=f"标{place:03d}",
            name=names[PartyId(row.bidder_id)].name,
            price=_price_of(row, talks),
            sheet=row.sheet or {},
            received=came[row.bid_id],
            gone=talks is not None and row.bidder_id in talks.gone,
        )
        for place, row in enumerate(rows, start=1)
    )


@by(*READERS)
async def library_of_bids(tx: Transaction, lot_id: LotId) -> dict[BidId, tuple[EntryReferred, ...]]:
    """What each opened bid refers to in its bidder's library, as it stood when bids were due.

    A reference lay sealed in the bid's sheet, so that nobody looked anything up before.
    """
    lot = await _readable_lot(tx, lot_id)
    assert lot.bids_due_at is not None
    rows = await _readable_rows(tx, lot_id)
    on = beijing_day(lot.bids_due_at)
    told = {PartyId(row.bidder_id): references_in(row.sheet or {}) for row in rows}
    found = await library_views.entries_referred(tx, told, on=on)

    tx.record(BidsRead(lot_id, reader=str(tx.actor.role)))

    return {
        BidId(row.bid_id): tuple(
            entry_referred(one, found.get((PartyId(row.bidder_id), one)), on=on)
            for one in told[PartyId(row.bidder_id)]
        )
        for row in rows
    }


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE, Role.PLATFORM)
async def library_file(
    tx: Transaction, lot_id: LotId, bid_id: BidId, reference: str
) -> tuple[str, bytes]:
    """The scanned paper of an entry that an opened bid refers to: its name and its bytes."""
    for one in (await library_of_bids(tx, lot_id)).get(bid_id, ()):
        if one.reference == reference and one.seen is not None:
            tx.record(BidsRead(lot_id, reader=str(tx.actor.role), bid_id=bid_id, file=reference))
            drawer = own_drawer(tx.documents, one.seen.party_id)
            return one.seen.file_name, await drawer.read(one.seen.file_digest)
    raise NotFound("the bid refers to no such entry")


@by(*READERS)
async def bid_securities(tx: Transaction, lot_id: LotId) -> tuple[BidSecurity, ...]:
    """The securities of the bids that can be read, in the same order and under the same codes."""
    lot = await _readable_lot(tx, lot_id)
    rows = await _readable_rows(tx, lot_id)
    standings = await standings_of(tx, lot, await switches_for(tx, lot))
    by_bidder = {one.bidder_id: one for one in standings}
    found = []
    for place, row in enumerate(rows, start=1):
        one = by_bidder[row.bidder_id]
        found.append(
            BidSecurity(
                BidId(row.bid_id),
                f"标{place:03d}",
                str(one.state),
                one.facts.asked,
                one.facts.paid_in_time,
                one.facts.guaranteed,
                one.cautions,
            )
        )
    return tuple(found)


@by(*READERS)
async def bids_to_evaluate(tx: Transaction, lot_id: LotId) -> tuple[BidId, ...]:
    """The ids of the bids that can be read, and nothing of what they say; without those whose
    suppliers left the talks.
    """
    lot = await _readable_lot(tx, lot_id)
    talks = await _talks_for(tx, lot)
    gone: frozenset[UUID] = frozenset() if talks is None else talks.gone
    rows = await _readable_rows(tx, lot_id)
    return tuple(BidId(row.bid_id) for row in rows if row.bidder_id not in gone)


@by(*READERS)
async def last_prices_due(tx: Transaction, lot_id: LotId) -> tuple[Refusal, ...]:
    """Why the bids of a lot may not be scored yet: their last prices do not lie open."""
    lot = await _readable_lot(tx, lot_id)
    talks = await _talks_for(tx, lot)
    if talks is None:
        return ()
    return tuple(evaluation_waits(talks.phase, article=talks.article))


@by(*READERS)
async def last_prices(tx: Transaction, lot_id: LotId) -> LastPrices | None:
    """Everything that proves the last prices of a lot; None where there were none.

    `Refused` until they lie open.
    """
    lot = await _readable_lot(tx, lot_id)
    talks = await _talks_for(tx, lot)
    if talks is None or talks.call is None:
        return None

    refusals = evaluation_waits(talks.phase, article=talks.article)
    if refusals:
        raise Refused(refusals)

    rows = await tx.session.execute(
        select(col(JournalRow.party_id), col(JournalRow.id)).where(
            col(JournalRow.subject_id) == lot_id, col(JournalRow.kind) == "LastPriceOpened"
        )
    )
    entries: dict[UUID | None, UUID] = {party: entry_id for party, entry_id in rows}
    return LastPrices(
        talks.call.entry_id,
        tuple(
            (one.suspended_entry, one.resumed_entry)
            for one in talks.pauses
            if one.resumed_entry is not None
            and any(one.pause.since < price.handed_in_at for price in talks.handed_in.values())
        ),
        tuple(
            ProvenPrice(
                BidId(talks.bids[bidder]),
                handed_in.statement,
                handed_in.keyid,
                handed_in.public_key,
                handed_in.entry_id,
                opening.statement,
                opening.keyid,
                opening.public_key,
                entries[bidder],
            )
            for bidder, opening in sorted(talks.opened.items())
            for handed_in in (talks.handed_in[bidder],)
            if bidder not in talks.gone
        ),
    )


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE, Role.PLATFORM)
async def bid_files(tx: Transaction, lot_id: LotId, bid_id: BidId) -> list[tuple[str, int]]:
    """The files in an opened bid, as (name, size in bytes), in the order of the archive.

    `BrokenSeal` where the bid is no archive that can be read.
    """
    await _readable_lot(tx, lot_id)
    row, envelope = await _opened_archive(tx, lot_id, bid_id)

    found = await _from_archive(tx, row, envelope, list_files)

    tx.record(BidsRead(lot_id, reader=str(tx.actor.role), bid_id=bid_id))

    return found


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE, Role.PLATFORM)
async def bid_file(tx: Transaction, lot_id: LotId, bid_id: BidId, name: str) -> bytes:
    """One file of an opened bid; only the parts it lies in are read and decrypted.

    `NotFound` where the bid has no such file, `BrokenSeal` where it cannot be read, `TooMuch` where
    it is larger than a file may be.
    """
    await _readable_lot(tx, lot_id)
    row, envelope = await _opened_archive(tx, lot_id, bid_id)

    content = await _from_archive(tx, row, envelope, lambda archive: read_file(archive, name))

    tx.record(BidsRead(lot_id, reader=str(tx.actor.role), bid_id=bid_id, file=name))

    return content


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE, Role.PLATFORM)
async def consortia_shown(tx: Transaction, lot_id: LotId) -> tuple[BidderShown, ...]:
    """Who bids by each opened bid, with what the law holds against it beside the others.

    That is: as one of a consortium, and by its ties to another bidder, as the register knows them.

    The agreements lie inside the bids, so nothing of this was known before the opening.
    """
    lot = await _readable_lot(tx, lot_id)
    switches = await switches_for(tx, lot)
    accepted = consortia_accepted(str(lot.notice.get("consortium", "")))
    through = await qualified_members(tx, lot)
    found = await _bidders_shown(tx, lot)
    assert lot.bids_due_at is not None
    due_on = beijing_day(lot.bids_due_at)
    ties = await ties_of(tx, [bidder.party_id for _, bidder in found], on=due_on)
    usccs = {one.party_id: one.uscc for one in ties}
    tied = ties_between(ties, switches.regime)

    tx.record(BidsRead(lot_id, reader=str(tx.actor.role), file=AGREEMENT))

    return tuple(
        BidderShown(
            bid_id,
            bidder.name,
            tuple(_member_shown(bidder, one) for one in _members(bidder)),
            counted_grades(bidder),
            tuple(
                findings_of(
                    bidder,
                    [other for _, other in found if other is not bidder],
                    accepted=accepted,
                    prequalified=None if through is None else through.get(bidder.party_id, ()),
                    regime=switches.regime,
                )
            )
            + tuple(one for one in tied if usccs[bidder.party_id] in one.facts.values()),
        )
        for bid_id, bidder in found
    )


# ── what comes back ───────────────────────────────────────────────────────────────────────────


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE, Role.PLATFORM)
async def take_report(tx: Transaction, report: SignedReport) -> None:
    """Take a signed report over, and move the lot with it.

    `Refused` where the lot is not in evaluation, `BrokenSeal` where the report does not account for
    exactly the bids that were opened.
    """
    lot = await lots.lock(tx, report.lot_id)
    switches = await switches_for(tx, lot)
    step = LotMove.REJECT_ALL_BIDS if report.all_rejected else LotMove.TAKE_REPORT
    refusals = move_refusals(LotState(lot.state), step, suspended=lot.suspended)
    if switches.offers is Offers.AGREED:
        reason = "单一来源采购由采购人员与供应商商定价格，不组织评审"
        refusals.append(Refusal("price_is_agreed", PROCUREMENT_LAW[39], reason))
    if refusals:
        raise Refused(refusals)
    talks = await talk_file(tx, lot)
    _judge_report(report, await _readable_rows(tx, report.lot_id), switches, talks)

    taken = await tx.session.scalar(
        select(func.count()).select_from(TakenReportRow).where(col(TakenReportRow.lot_id) == lot.id)
    )
    number = (taken or 0) + 1
    await tx.documents.keep(report.report)
    tx.session.add(
        TakenReportRow(
            lot_id=lot.id,
            round=number,
            report_digest=report.report_digest,
            all_rejected=report.all_rejected,
            taken_at=tx.now,
        )
    )
    tx.session.add_all(_rows_of(report, number))

    tx.record(
        ReportTaken(
            lot.id,
            round=number,
            report_digest=report.report_digest,
            candidates=report.candidates,
            rejected=tuple(one.bidder_id for one in report.rejected),
            all_rejected=report.all_rejected,
            papers=() if talks is None else talks.papers,
        )
    )
    if report.all_rejected:
        reason = "评标委员会否决所有投标，应当依法重新招标"
        article = BIDDING_LAW[42]
        if talks is not None:
            reason, article = "没有响应文件符合要求且提交最后报价的供应商", talks.article
        tx.record(LotFailed(lot.id, "all_rejected", reason, str(article)))
    lots.move(tx, lot, step)


# ── for the neighbours in this house ──────────────────────────────────────────────────────────


async def switches_for(tx: Transaction, lot: LotRow) -> Switches:
    """What the lot's procedure demands, as the law stood on the day the lot was published."""
    return await switches_then(tx, lot)


# ── what the acts above are made of ───────────────────────────────────────────────────────────


def _bare_brief(
    lot: LotRow, project: ProjectRow, switches: Switches, close_entry: UUID
) -> LotBrief:
    """What every committee of a lot is told, whatever it judges."""
    return LotBrief(
        lot_id=LotId(lot.id),
        project_id=ProjectId(project.id),
        name=lot.name,
        project_name=project.name,
        procedure=Procedure(project.procedure),
        regime=switches.regime,
        mandatory=switches.mandatory,
        candidates_max=switches.candidates_max,
        committee_min=switches.committee.members_for(lot.estimate),
        committee_article=switches.committee.article,
        state=LotState(lot.state),
        suspended=lot.suspended,
        tenderee_id=PartyId(project.tenderee_id),
        agency_id=None if project.agency_id is None else PartyId(project.agency_id),
        region_code=lot.region_code,
        scheme={},
        ceiling_price=None,
        estimate=lot.estimate,
        close_entry=close_entry,
        opening_record=None,
    )


def _owners_of(project: ProjectRow) -> dict[PartyId, str]:
    capacities = {PartyId(project.tenderee_id): "tenderee"}
    if project.agency_id is not None:
        capacities[PartyId(project.agency_id)] = "agency"
    return capacities


async def _interested_parties(
    tx: Transaction, capacities: Mapping[PartyId, str]
) -> tuple[InterestedParty, ...]:
    parties = await organisations_by_id(tx, capacities)
    return tuple(
        InterestedParty(parties[id].uscc, parties[id].name, capacity, id)
        for id, capacity in capacities.items()
    )


async def _closed_lot(tx: Transaction, lot_id: LotId) -> tuple[LotRow, ProjectRow]:
    lot = await lots.hold(tx, lot_id)
    if lot.published_at is None:
        raise NotFound("no such lot")
    if not was_closed(lot.path):
        reason = "投标截止前不得透露投标人的名称、数量"
        raise Refused([Refusal("not_closed", BIDDING_LAW[22], reason)])
    return lot, await lots.project_of(tx, lot)


async def _readable_lot(tx: Transaction, lot_id: LotId) -> LotRow:
    lot = await lots.hold(tx, lot_id)
    if lot.published_at is None:
        raise NotFound("no such lot")
    if tx.actor.role in (Role.TENDEREE, Role.AGENCY):
        await lots.owned(tx, lot_id)
    if not _can_be_read(lot):
        reason = "开标完成前任何人不得查看投标文件内容"
        raise Refused([Refusal("not_opened", BIDDING_LAW[28], reason)])
    return lot


def _can_be_read(lot: LotRow) -> bool:
    """Whether its bids lie open; a lot that failed leaves them alone."""
    return was_opened(lot.path) and lot.state != LotState.FAILED


async def _readable_rows(tx: Transaction, lot_id: LotId) -> list[OpenedBidRow]:
    # Ids are random, so their order tells neither who came first nor who asks for what.
    rows = await tx.session.scalars(
        select(OpenedBidRow)
        .where(col(OpenedBidRow.lot_id) == lot_id, col(OpenedBidRow.outcome).in_(READABLE_OUTCOMES))
        .order_by(col(OpenedBidRow.bid_id))
    )
    return list(rows)


async def _talks_for(tx: Transaction, lot: LotRow) -> TalkFile | None:
    """The talks of a lot; `Refused` for whoever does not take part in them while they go on."""
    talks = await talk_file(tx, lot)
    inside = tx.actor.role in (Role.EXPERT, Role.OWNER_REPRESENTATIVE, Role.PLATFORM)
    if talks is not None and not inside and talks.phase is not TalkPhase.OVER:
        reason = "谈判（磋商）结束前，小组以外的人不得知悉供应商的报价和响应文件"
        raise Refused([Refusal("in_talks", talks.article, reason)])
    return talks


def _price_of(row: OpenedBidRow, talks: TalkFile | None) -> Decimal:
    """The price that stands: after talks the last one, else the one that was opened."""
    last = None if talks is None else talks.last_price(row.bidder_id)
    return last or row.price or Decimal(0)


async def _bidders_shown(tx: Transaction, lot: LotRow) -> list[tuple[BidId, BidderAtLot]]:
    """Each bid that can be read, with who bids by it, in an order that says nothing about them."""
    rows = await _readable_rows(tx, LotId(lot.id))
    names = await organisations_by_id(tx, [row.bidder_id for row in rows])
    counted = {bid.id: bid for bid in await counted_bids(tx.session, lot.id)}
    found = []
    for row in rows:
        bid, party_id = counted[row.bid_id], PartyId(row.bidder_id)
        envelope = next((one for one in bid.envelopes if one.kind == "bid"), None)
        if envelope is None:
            continue
        opened = consortia.Opened(
            party_id,
            names[party_id].name,
            bid.received_at,
            SealedArchive(envelope.header, envelope.payload_size, envelope.parts),
            {name: unb64u(secret, 32) for name, secret in row.secrets["bid"].items()},
        )
        found.append((BidId(row.bid_id), await consortia.bidder_in(tx, lot, opened)))
    return found


def _members(bidder: BidderAtLot) -> tuple[MemberSaid, ...]:
    return () if bidder.agreement is None else bidder.agreement.members


def _member_shown(bidder: BidderAtLot, one: MemberSaid) -> ConsortiumMember:
    assert bidder.agreement is not None
    return ConsortiumMember(
        bidder.names.get(one.party_id, str(one.party_id)),
        one.part,
        one.grades,
        one.party_id == bidder.agreement.lead,
        one.party_id in bidder.signers,
    )


async def _opening_unfinished(
    tx: Transaction, lot_id: LotId, opening: OpeningRow | None
) -> list[Refusal]:
    refusals = []
    if opening is None or opening.recorded_at is None:
        reason = "开标记录尚未由招标人签章公布，不得移交评标"
        refusals.append(Refusal("record_unsigned", E_BIDDING_MEASURES[32], reason))
    unanswered = await tx.session.scalar(
        select(func.count())
        .select_from(OpeningObjectionRow)
        .where(
            col(OpeningObjectionRow.lot_id) == lot_id,
            col(OpeningObjectionRow.answered_at).is_(None),
        )
    )
    if unanswered:
        reason = f"尚有{unanswered}件开标异议未当场答复"
        refusals.append(Refusal("objection_open", BIDDING_REGULATION[44], reason))
    return refusals


async def _opened_archive(
    tx: Transaction, lot_id: LotId, bid_id: BidId
) -> tuple[OpenedBidRow, SealedEnvelope]:
    row = await tx.session.get(OpenedBidRow, bid_id)
    if row is None or row.lot_id != lot_id or row.outcome not in READABLE_OUTCOMES:
        raise NotFound("no such opened bid")
    bids: dict[UUID, CountedBid] = {bid.id: bid for bid in await counted_bids(tx.session, lot_id)}
    for envelope in bids[bid_id].envelopes if bid_id in bids else ():
        if envelope.kind == "bid":
            return row, envelope
    raise NotFound("the bid has no file")


async def _from_archive(
    tx: Transaction,
    row: OpenedBidRow,
    envelope: SealedEnvelope,
    read: Callable[[zipfile.ZipFile], Found],
) -> Found:
    """What `read` finds in an opened bid's archive."""
    secrets = {name: unb64u(secret, 32) for name, secret in row.secrets["bid"].items()}
    return await from_archive(
        tx.documents,
        SealedArchive(envelope.header, envelope.payload_size, envelope.parts),
        secrets,
        read,
    )


def _judge_report(
    report: SignedReport, opened: list[OpenedBidRow], switches: Switches, talks: TalkFile | None
) -> None:
    """`BrokenSeal` unless the report is whole: every opened bid once, ranks and candidates true."""
    if sha256(report.report) != report.report_digest:
        raise BrokenSeal("the report is not the one its digest names")
    bidders = {row.bid_id: row for row in opened}
    ranked = [one.bid_id for one in report.ranking]
    rejected = {one.bid_id for one in report.rejected}
    if len(ranked) != len(set(ranked)) or rejected & set(ranked):
        raise BrokenSeal("the report counts a bid twice")
    gone: frozenset[UUID] = frozenset() if talks is None else talks.gone
    left = {row.bid_id for row in opened if row.bidder_id in gone} - rejected
    if rejected | set(ranked) != set(bidders) - left:
        raise BrokenSeal("the report does not account for exactly the bids that were opened")
    owners = [(one.bid_id, one.bidder_id) for one in report.ranking]
    owners += [(one.bid_id, one.bidder_id) for one in report.rejected]
    if any(bidders[bid_id].bidder_id != bidder_id for bid_id, bidder_id in owners):
        raise BrokenSeal("the report gives a bid to another bidder")
    if any(_price_of(bidders[one.bid_id], talks) != one.price for one in report.ranking):
        raise BrokenSeal("the report states another price than the one that stands")
    by_rank = sorted(report.ranking, key=lambda one: one.rank)
    if [one.rank for one in by_rank] != list(range(1, len(by_rank) + 1)):
        raise BrokenSeal("the report's ranks are not 1, 2, 3 and so on")
    if report.all_rejected != (not by_rank) or report.all_rejected == bool(report.candidates):
        raise BrokenSeal("the report recommends nobody exactly where all bids are rejected")
    first = tuple(one.bidder_id for one in by_rank[: len(report.candidates)])
    if report.candidates != first or len(first) > switches.candidates_max:
        raise BrokenSeal("the report's candidates are not the first of its ranking")


def _rows_of(report: SignedReport, number: int) -> list[RankedBidRow | RejectedBidRow]:
    ranked = [
        RankedBidRow(
            lot_id=report.lot_id,
            round=number,
            bid_id=one.bid_id,
            bidder_id=one.bidder_id,
            name=one.name,
            rank=one.rank,
            candidate=one.bidder_id in report.candidates,
            total=one.total,
            price=one.price,
            parts=[{"label": label, "points": format(points, "f")} for label, points in one.parts],
        )
        for one in report.ranking
    ]
    rejected = [
        RejectedBidRow(
            lot_id=report.lot_id,
            round=number,
            bid_id=one.bid_id,
            ground=one.ground,
            bidder_id=one.bidder_id,
            name=one.name,
            article=one.article,
            page=one.page,
        )
        for one in report.rejected
    ]
    return [*ranked, *rejected]
