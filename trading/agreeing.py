"""The purchaser's people and the only supplier agree a price; all of them sign it (协商情况记录).

Everybody signs the very same words. Until the result is published nobody but purchaser, agency and
supplier sees them; with the last signature the price stands as the lot's report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto.digests import Malformed, b64, canonical, members, sha256, text_of
from kernel.crypto.signing import Envelope
from kernel.errors import NotFound, Outrun, Refused
from kernel.identifiers import BidId, LotId, PartyId
from kernel.refusals import Caution, Refusal
from kernel.statute import PROCUREMENT_LAW
from kernel.store.parties import Statement, organisation_names, take_part, verified_statement
from kernel.store.tables import MembershipRow, PersonRow
from kernel.store.transaction import Transaction
from trading import agency_letters, lots, objecting, sole_sourcing, tendering
from trading.drafting import clean_text
from trading.events import LotFailed, PriceAgreed, PriceOffered, ReportTaken, TalksFailed
from trading.handover import PUBLISHED, READABLE_OUTCOMES, switches_for
from trading.rules.agency_scope import AgencyAct
from trading.rules.lot_lifecycle import LotMove, LotState, move_refusals
from trading.rules.objection_window import ObjectionKind
from trading.rules.single_source import (
    FAILURES,
    WORDS_MAX,
    FailureGround,
    agreement_cautions,
    agreement_in,
    agreement_refusals,
    failure_refusals,
    signature_refusals,
)
from trading.tables import (
    LotRow,
    NoticeRow,
    OpenedBidRow,
    PriceAgreementRow,
    PriceSignatureRow,
    ProjectRow,
    RankedBidRow,
    TakenReportRow,
)

NO_AGREEMENT: Final = "no_agreement"
"""What kind of notice it is that ends talks with the only supplier without a price."""

FAILURE_TITLE: Final = "单一来源采购终止公告"


@dataclass(frozen=True, slots=True)
class GroupSigner:
    """Somebody whom the record names, and when he signed it."""

    person_id: UUID
    name: str
    title: str
    signed_at: datetime | None


@dataclass(frozen=True, slots=True)
class AgreementTold:
    """The newest record of a lot, and who has signed it; `body` is what is signed."""

    number: int
    price: Decimal
    record: str
    group: tuple[GroupSigner, ...]
    supplier_signed_at: datetime | None
    offered_at: datetime
    digest: bytes
    body: dict[str, Any]
    cautions: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class AgreementDesk:
    """A lot whose price is to be agreed, as one of its sides sees it."""

    lot_id: LotId
    lot_name: str
    project_id: UUID
    project_name: str
    state: LotState
    supplier_id: PartyId
    supplier: str
    budget: Decimal
    offered: Decimal | None
    people: Mapping[UUID, str]
    agreement: AgreementTold | None
    concluded: bool
    may_offer: bool
    may_sign: bool


@dataclass(frozen=True, slots=True)
class SignedPrice:
    """A signature as it was taken: of which record, and whether it was the last that was due."""

    number: int
    concluded: bool
    cautions: tuple[Caution, ...]


@by(Role.TENDEREE, Role.AGENCY)
async def offer_price(tx: Transaction, lot_id: LotId, raw: bytes) -> SignedPrice:
    """Sign, as one of the group, the record of a price agreed; a later one replaces it.

    The same statement again is the same record.
    """
    lot = await lots.lock(tx, lot_id)
    _, project = await lots.owned(tx, lot_id)
    await agency_letters.require_scope(tx, project, AgencyAct.RESULT, lot_id)
    supplier = await _supplier(tx, lot)
    statement = await verified_statement(
        tx, raw, "price-agreement", lot=lot_id, project=lot.project_id, supplier=supplier
    )
    digest = _digest(raw)
    known = await tx.session.scalar(
        select(PriceAgreementRow).where(col(PriceAgreementRow.digest) == digest)
    )
    if known is not None:
        return await _signed(tx, lot, known, statement, raw, for_supplier=False)
    said = agreement_in(statement.payload)
    bid = await _bid(tx, lot, supplier)
    switches = await switches_for(tx, lot)

    refusals = move_refusals(LotState(lot.state), LotMove.TAKE_REPORT, suspended=lot.suspended)
    refusals += signature_refusals(
        signs=tx.actor.person,
        group=[one.person_id for one in said.group],
        for_supplier=False,
        concluded=False,
    )
    refusals += agreement_refusals(
        said,
        switches,
        offered=bid.price or Decimal(0),
        budget=lot.estimate,
        ceiling=lot.ceiling_price,
        of_the_purchaser=await _people(tx, project),
    )
    if refusals:
        raise Refused(refusals)
    open_objections = await objecting.unanswered(tx, lot_id, ObjectionKind.DOCUMENTS)
    cautions = agreement_cautions(said, unanswered=open_objections)

    last = await _newest(tx, lot_id)
    row = PriceAgreementRow(
        lot_id=lot_id,
        number=1 if last is None else last.number + 1,
        digest=digest,
        body=statement.payload,
        price=said.price,
        members=[str(one.person_id) for one in said.group],
        offered_by=tx.actor.person,
        offered_at=tx.now,
        cautions=[one.as_json() for one in cautions],
    )
    tx.session.add(row)
    await tx.session.flush()

    for party_id in _sides(project, supplier):
        tx.record(
            PriceOffered(lot_id, addressee_id=party_id, number=row.number, agreement_digest=digest)
        )

    done = await _signed(tx, lot, row, statement, raw, for_supplier=False)
    return SignedPrice(done.number, done.concluded, tuple(cautions))


@by(Role.BIDDER)
async def accept_price(tx: Transaction, lot_id: LotId, raw: bytes) -> SignedPrice:
    """Sign the newest record for the supplier, word for word."""
    lot = await lots.lock(tx, lot_id)
    supplier = await _supplier(tx, lot)
    if supplier != tx.actor.party:
        raise NotFound("no price to agree")
    statement = await verified_statement(
        tx, raw, "price-agreement", lot=lot_id, project=lot.project_id, supplier=supplier
    )
    row = await _newest(tx, lot_id)
    if row is None or row.digest != _digest(raw):
        raise Outrun("another record is the newest one")

    return await _signed(tx, lot, row, statement, raw, for_supplier=True)


@by(Role.TENDEREE, Role.AGENCY)
async def end_without_price(tx: Transaction, lot_id: LotId, raw: bytes) -> None:
    """End the talks with the only supplier without a price, by a notice that says why.

    The lot fails and may be put up anew. The same notice again is the same act.
    """
    lot = await lots.lock(tx, lot_id)
    _, project = await lots.owned(tx, lot_id)
    await agency_letters.require_scope(tx, project, AgencyAct.RESULT, lot_id)
    await _supplier(tx, lot)
    statement = await verified_statement(tx, raw, "notice", lot=lot_id, project=lot.project_id)
    known = await tx.session.scalar(
        select(col(NoticeRow.number)).where(
            col(NoticeRow.lot_id) == lot_id, col(NoticeRow.digest) == _digest(raw)
        )
    )
    if known is not None:
        return
    said = members(
        statement.payload,
        ("v", "kind", "project", "lot", "ground", "reason"),
        optional=("signed_at",),
    )
    ground = _ground_in(said["ground"])
    words = text_of(said["reason"])
    reason = clean_text(words, at_most=WORDS_MAX) if words.strip() else ""
    if said["kind"] != NO_AGREEMENT:
        raise Malformed("a notice that no price was agreed was expected", code="wrong_statement")

    refusals = move_refusals(LotState(lot.state), LotMove.REJECT_ALL_BIDS, suspended=lot.suspended)
    refusals += failure_refusals(reason=reason, concluded=await _concluded(tx, lot_id))
    if refusals:
        raise Refused(refusals)

    await tendering.keep_notice(tx, lot, statement, kind=NO_AGREEMENT, title=FAILURE_TITLE)

    tx.record(TalksFailed(lot_id, ground, reason, statement.digest))
    tx.record(LotFailed(lot_id, NO_AGREEMENT, FAILURES[ground], str(PROCUREMENT_LAW[39])))
    lots.move(tx, lot, LotMove.REJECT_ALL_BIDS)


@by(Role.TENDEREE, Role.AGENCY, Role.BIDDER, Role.SUPERVISOR)
async def agreement_desk(tx: Transaction, lot_id: LotId) -> AgreementDesk:
    """What is agreed, for purchaser, agency and supplier; for supervisors once the result is out.

    For everybody else there is no such thing; the offer is told to nobody before it is opened.
    """
    lot = await tx.session.get(LotRow, lot_id)
    supplier = None if lot is None else await sole_sourcing.supplier_of(tx, lot)
    if lot is None or supplier is None:
        raise NotFound("no price to agree")
    project = await tx.session.get_one(ProjectRow, lot.project_id)
    owned = lots.owns(tx, project)
    supervised = tx.actor.role is Role.SUPERVISOR and LotState(lot.state) in PUBLISHED
    if not (owned or supervised or supplier == tx.actor.party):
        raise NotFound("no price to agree")
    bid = await tx.session.scalar(_bids(lot_id, supplier))
    newest = await _newest(tx, lot_id)
    told = None if newest is None else await _told(tx, newest)
    concluded = await tx.session.get(TakenReportRow, (lot_id, 1)) is not None
    names = await organisation_names(tx.session, [supplier])
    waits = lot.state == LotState.IN_EVALUATION and not lot.suspended
    return AgreementDesk(
        lot_id,
        lot.name,
        lot.project_id,
        project.name,
        LotState(lot.state),
        supplier,
        names[supplier],
        lot.estimate,
        None if bid is None else bid.price,
        await _people(tx, project) if owned else {},
        told,
        concluded,
        may_offer=owned and waits and not concluded,
        may_sign=waits and not concluded and told is not None and _is_due(tx, told, supplier),
    )


# ── what the acts above are made of ───────────────────────────────────────────────────────────


async def _signed(
    tx: Transaction,
    lot: LotRow,
    row: PriceAgreementRow,
    statement: Statement,
    raw: bytes,
    *,
    for_supplier: bool,
) -> SignedPrice:
    """Keep one signature under a record; with the last one the price becomes the lot's report."""
    lot_id = LotId(lot.id)
    before = await tx.session.get(PriceSignatureRow, (lot_id, row.number, tx.actor.person))
    if before is not None:
        return SignedPrice(row.number, await _concluded(tx, lot_id), ())
    newest = await _newest(tx, lot_id)
    if newest is None or newest.number != row.number:
        raise Outrun("another record is the newest one")
    refusals = move_refusals(LotState(lot.state), LotMove.TAKE_REPORT, suspended=lot.suspended)
    refusals += signature_refusals(
        signs=tx.actor.person,
        group=[UUID(one) for one in row.members],
        for_supplier=for_supplier,
        concluded=await _concluded(tx, lot_id),
    )
    if refusals:
        raise Refused(refusals)

    await take_part(tx, lot_id)
    tx.session.add(
        PriceSignatureRow(
            lot_id=lot_id,
            number=row.number,
            person_id=tx.actor.person,
            party_id=tx.actor.party,
            for_supplier=for_supplier,
            statement=raw,
            signed_at=tx.now,
        )
    )
    await tx.session.flush()

    signatures = await _signatures(tx, row)
    have = {str(one.person_id) for one in signatures if not one.for_supplier}
    whole = have == set(row.members) and any(one.for_supplier for one in signatures)
    if whole:
        await _conclude(tx, lot, row, signatures)
    return SignedPrice(row.number, whole, ())


async def _conclude(
    tx: Transaction,
    lot: LotRow,
    row: PriceAgreementRow,
    signatures: Sequence[PriceSignatureRow],
) -> None:
    """Take the signed record for the lot's report: its supplier the first and only candidate."""
    lot_id = LotId(lot.id)
    project = await tx.session.get_one(ProjectRow, lot.project_id)
    supplier = await _supplier(tx, lot)
    bid = await _bid(tx, lot, supplier)
    names = await organisation_names(tx.session, [supplier])
    report = canonical(
        {
            "v": "ebid-price-agreement-record/1",
            "agreement": row.body,
            "statements": [b64(one.statement) for one in signatures],
        }
    )
    digest = await tx.documents.keep(report)
    tx.session.add(
        TakenReportRow(
            lot_id=lot_id, round=1, report_digest=digest, all_rejected=False, taken_at=tx.now
        )
    )
    tx.session.add(
        RankedBidRow(
            lot_id=lot_id,
            round=1,
            bid_id=BidId(bid.bid_id),
            bidder_id=supplier,
            name=names[supplier],
            rank=1,
            candidate=True,
            total=Decimal(0),
            price=row.price,
        )
    )

    for party_id in _sides(project, supplier):
        tx.record(
            PriceAgreed(
                lot_id, addressee_id=party_id, number=row.number, agreement_digest=row.digest
            )
        )
    tx.record(
        ReportTaken(
            lot_id,
            round=1,
            report_digest=digest,
            candidates=(supplier,),
            rejected=(),
            all_rejected=False,
            papers=tuple(sha256(one.statement) for one in signatures),
        )
    )
    lots.move(tx, lot, LotMove.TAKE_REPORT)


async def _supplier(tx: Transaction, lot: LotRow) -> PartyId:
    supplier = await sole_sourcing.supplier_of(tx, lot)
    if supplier is None:
        raise NotFound("no price to agree")
    return supplier


def _bids(lot_id: UUID, supplier: UUID) -> Any:
    return select(OpenedBidRow).where(
        col(OpenedBidRow.lot_id) == lot_id,
        col(OpenedBidRow.bidder_id) == supplier,
        col(OpenedBidRow.outcome).in_(READABLE_OUTCOMES),
    )


async def _bid(tx: Transaction, lot: LotRow, supplier: UUID) -> OpenedBidRow:
    """The supplier's opened offer; `Refused` where there is none to talk about."""
    bid: OpenedBidRow | None = await tx.session.scalar(_bids(lot.id, supplier))
    if bid is None:
        reason = "供应商的响应文件尚未开启，不能商定价格"
        raise Refused([Refusal("no_opened_offer", PROCUREMENT_LAW[39], reason)])
    return bid


async def _people(tx: Transaction, project: ProjectRow) -> dict[UUID, str]:
    """Who acts for purchaser or agency, and may sit in the group."""
    rows = await tx.session.execute(
        select(col(PersonRow.id), col(PersonRow.name))
        .join(MembershipRow, col(MembershipRow.person_id) == col(PersonRow.id))
        .where(
            col(MembershipRow.party_id).in_(
                [one for one in (project.tenderee_id, project.agency_id) if one is not None]
            ),
            col(MembershipRow.role).in_([Role.TENDEREE, Role.AGENCY]),
            col(MembershipRow.ended_at).is_(None),
        )
        .order_by(col(PersonRow.name))
    )
    return {id: name for id, name in rows}


async def _newest(tx: Transaction, lot_id: UUID) -> PriceAgreementRow | None:
    number = (
        select(func.max(col(PriceAgreementRow.number)))
        .where(col(PriceAgreementRow.lot_id) == lot_id)
        .scalar_subquery()
    )
    return await tx.session.scalar(
        select(PriceAgreementRow).where(
            col(PriceAgreementRow.lot_id) == lot_id, col(PriceAgreementRow.number) == number
        )
    )


async def _signatures(tx: Transaction, row: PriceAgreementRow) -> Sequence[PriceSignatureRow]:
    rows = await tx.session.scalars(
        select(PriceSignatureRow)
        .where(
            col(PriceSignatureRow.lot_id) == row.lot_id,
            col(PriceSignatureRow.number) == row.number,
        )
        .order_by(col(PriceSignatureRow.signed_at), col(PriceSignatureRow.person_id))
    )
    return rows.all()


async def _concluded(tx: Transaction, lot_id: UUID) -> bool:
    return await tx.session.get(TakenReportRow, (lot_id, 1)) is not None


async def _told(tx: Transaction, row: PriceAgreementRow) -> AgreementTold:
    signatures = await _signatures(tx, row)
    signed = {one.person_id: one.signed_at for one in signatures if not one.for_supplier}
    accepted = [one.signed_at for one in signatures if one.for_supplier]
    said = agreement_in(row.body)
    return AgreementTold(
        row.number,
        row.price,
        said.record,
        tuple(
            GroupSigner(one.person_id, one.name, one.title, signed.get(one.person_id))
            for one in said.group
        ),
        min(accepted, default=None),
        row.offered_at,
        row.digest,
        row.body,
        tuple(row.cautions),
    )


def _is_due(tx: Transaction, told: AgreementTold, supplier: UUID) -> bool:
    """Whether the acting person's signature is still wanted."""
    if tx.actor.party == supplier:
        return told.supplier_signed_at is None
    return any(one.person_id == tx.actor.person and one.signed_at is None for one in told.group)


def _ground_in(value: object) -> FailureGround:
    try:
        return FailureGround(text_of(value))
    except ValueError:
        raise Malformed(f"a ground is one of {', '.join(FailureGround)}", code="ground") from None


def _sides(project: ProjectRow, supplier: UUID) -> list[UUID]:
    return [one for one in (project.tenderee_id, project.agency_id, supplier) if one is not None]


def _digest(raw: bytes) -> bytes:
    return sha256(Envelope.from_bytes(raw).payload)
