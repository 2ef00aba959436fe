"""A lot's award and what has become of its contract, as every act on a contract begins from it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col

from kernel.access import Role
from kernel.crypto.digests import Malformed, b64u, strict_json, text_of
from kernel.crypto.signing import Envelope
from kernel.errors import NotFound, NotPermitted
from kernel.identifiers import PartyId
from kernel.money import parse_yuan
from kernel.store.parties import organisation_name
from kernel.store.transaction import Transaction
from trading import lots
from trading.handover import switches_for
from trading.made_awards import award_in_force
from trading.rules.contract_course import Course
from trading.rules.contract_terms import ContractTerms
from trading.rules.procedures import Switches
from trading.tables import (
    AwardRow,
    CandidatesRow,
    ContractChangeOfferRow,
    ContractChangeRow,
    ContractFilingRow,
    ContractOfferRow,
    ContractRow,
    LotRow,
    OpenedBidRow,
    ProjectRow,
    SettlementRow,
)


class Side(StrEnum):
    """A side of the contract: the tenderee (甲方) or the winner (乙方)."""

    TENDEREE = "tenderee"
    WINNER = "winner"


@dataclass(frozen=True, slots=True)
class Agreed:
    """A change in force: its words as both signed them."""

    offer: ContractChangeOfferRow
    row: ContractChangeRow


@dataclass(frozen=True, slots=True)
class Case:
    """A lot from its award in force on; `offer` is the newest that the tenderee signed over it."""

    lot: LotRow
    project: ProjectRow
    switches: Switches
    award: AwardRow | None
    offer: ContractOfferRow | None
    contract: ContractRow | None
    filing: ContractFilingRow | None
    changes: tuple[Agreed, ...]
    settlement: SettlementRow | None

    @property
    def course(self) -> Course:
        """How far it has come."""
        return Course(
            self.award is not None,
            self.offer is not None,
            self.contract is not None,
            self.filing is not None,
            self.settlement is not None,
        )

    @property
    def changed_by(self) -> Decimal:
        """What all changes together add to the price."""
        return sum((one.offer.amount for one in self.changes), Decimal(0))

    def side_of(self, tx: Transaction) -> Side | None:
        """The side for which the actor may sign; None for everybody else."""
        role, party = tx.actor.role, tx.actor.party_id
        if role is Role.TENDEREE and party == self.project.tenderee_id:
            return Side.TENDEREE
        if role is Role.BIDDER and self.award is not None and party == self.award.winner_id:
            return Side.WINNER
        return None

    def party_at(self, side: Side) -> PartyId:
        """The organisation at that side; `NotFound` where there is no award."""
        if self.award is None:
            raise NotFound("no award, no contract")
        return PartyId(self.project.tenderee_id if side is Side.TENDEREE else self.award.winner_id)


async def case_of(tx: Transaction, lot: LotRow) -> Case:
    """The lot's case; `NotFound` for a draft."""
    if lot.published_at is None:
        raise NotFound("no such lot")
    award = await award_in_force(tx, lot.id)
    number = 0 if award is None else award.number
    offer = await tx.session.scalar(
        select(ContractOfferRow)
        .where(col(ContractOfferRow.lot_id) == lot.id, col(ContractOfferRow.award_number) == number)
        .order_by(col(ContractOfferRow.version).desc())
        .limit(1)
    )
    changes = await tx.session.execute(
        select(ContractChangeOfferRow, ContractChangeRow)
        .join(
            ContractChangeRow, col(ContractChangeRow.digest) == col(ContractChangeOfferRow.digest)
        )
        .where(col(ContractChangeRow.lot_id) == lot.id)
        .order_by(col(ContractChangeRow.number))
    )
    return Case(
        lot,
        await lots.project_of(tx, lot),
        await switches_for(tx, lot),
        award,
        offer,
        await tx.session.get(ContractRow, lot.id),
        await tx.session.get(ContractFilingRow, lot.id),
        tuple(Agreed(one, row) for one, row in changes.all()),
        await tx.session.get(SettlementRow, lot.id),
    )


async def locked_case(tx: Transaction, lot_id: UUID) -> Case:
    """The lot's case, for us alone until this transaction ends."""
    return await case_of(tx, await lots.lock(tx, lot_id))


def side_acting(tx: Transaction, case: Case) -> Side:
    """The side for which the actor signs; `NotPermitted` for whoever is at neither."""
    side = case.side_of(tx)
    if side is None:
        raise NotPermitted("only the two sides of the contract act on it")
    return side


async def awarded_terms(tx: Transaction, case: Case) -> tuple[ContractTerms, str]:
    """The main terms of documents and winning bid, and who the bid says leads the work."""
    award = case.award
    if award is None:
        raise NotFound("no award, no contract")
    bid = await tx.session.get_one(OpenedBidRow, award.bid_id)
    sheet = bid.sheet or {}
    published = await tx.session.get_one(CandidatesRow, (case.lot.id, award.round))
    notice = strict_json(Envelope.from_bytes(published.statement).payload)
    assert isinstance(notice, dict)
    words = next(one for one in notice["candidates"] if one["bidder"] == str(award.winner_id))
    days = sheet.get("duration_days")
    terms = ContractTerms(
        f"{case.project.name} {case.lot.name}",
        award.price,
        str(sheet.get("quality", "")) or str(words["quality"]),
        f"{days}日历天" if isinstance(days, int) else str(words["period"]),
    )
    return terms, str(sheet.get("manager", "")) or str(words["manager"])


def terms_in(told: object) -> ContractTerms:
    """The main terms that a contract states; `Malformed` where it does not state them."""
    if not isinstance(told, dict) or told.keys() != {"subject", "price", "quality", "period"}:
        raise Malformed("a contract's terms are subject, price, quality and period")
    return ContractTerms(
        text_of(told["subject"]),
        yuan_in(told["price"]),
        text_of(told["quality"]),
        text_of(told["period"]),
    )


def yuan_in(told: object, *, signed: bool = False) -> Decimal:
    """An amount in yuan as a statement writes it, with a minus before it only where `signed`."""
    words = text_of(told)
    negative = signed and words.startswith("-")
    try:
        amount = Decimal(parse_yuan(words.removeprefix("-") if negative else words))
    except ValueError:
        raise Malformed("an amount is written as 1234.50", code="amount") from None
    return -amount if negative else amount


def said_by(statement: bytes) -> dict[str, object]:
    """What a kept statement says."""
    told = strict_json(Envelope.from_bytes(statement).payload)
    assert isinstance(told, dict)
    return told


async def winner_name(tx: Transaction, case: Case) -> str:
    """What the winner is called."""
    return await organisation_name(tx, case.party_at(Side.WINNER))


async def newest_version(tx: Transaction, lot_id: UUID) -> int:
    """How many versions of the contract the tenderee has signed."""
    found = await tx.session.scalar(
        select(func.max(col(ContractOfferRow.version))).where(
            col(ContractOfferRow.lot_id) == lot_id
        )
    )
    return found or 0


def require_contract(told: object, case: Case) -> ContractRow:
    """The contract in force, which a statement must name by its digest."""
    if case.contract is None:
        raise NotFound("no contract of this lot")
    if told != b64u(case.contract.digest):
        raise Malformed("the statement is about another contract", code="wrong_contract")
    return case.contract
