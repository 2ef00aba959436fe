"""What becomes of a contract: changes that both sides sign, reports, and the audited settlement.

Every act is told both ways: to the public and the other side, and back to those who oversee awards,
so that what a winner promised and what it did stand side by side.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import select
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto.digests import Malformed, count_of, list_of, sha256, text_of
from kernel.crypto.signing import Envelope
from kernel.errors import BrokenSeal, NotFound, Refused
from kernel.identifiers import LotId
from kernel.refusals import Caution
from kernel.store.parties import Statement, take_part, verified_statement
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day
from trading import lots
from trading.contract_cases import (
    Case,
    Side,
    locked_case,
    require_contract,
    said_by,
    side_acting,
    terms_in,
    yuan_in,
)
from trading.contracting import signed_alike
from trading.drafting import clean_text
from trading.events import (
    ContractChanged,
    ContractChangeOffered,
    ContractSettled,
    PerformanceReported,
    PerformanceReturned,
)
from trading.rules.contract_course import Step, step_refusals
from trading.rules.contract_terms import (
    Change,
    ChangeReason,
    Settlement,
    change_refusals,
    payment_cautions,
    settlement_cautions,
    subcontract_cautions,
)
from trading.tables import (
    ContractChangeOfferRow,
    ContractChangeRow,
    ContractRow,
    PerformanceReportRow,
    SettlementRow,
)

WORDS_MAX: Final = 2000
NAME_MAX: Final = 200
NUMBER_MAX: Final = 10_000
SMALL_ENTERPRISE: Final = "small_enterprise"
MAIN_PART, AGREED, AGAIN = "main_part", "agreed", "again"
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class ReportKind(StrEnum):
    """What a report on a contract's performance is about."""

    PROGRESS = "progress"
    PAYMENT = "payment"
    MILESTONE = "milestone"
    SUBCONTRACT = "subcontract"


MARKS: Final[Mapping[ReportKind, frozenset[str]]] = MappingProxyType(
    {
        ReportKind.PAYMENT: frozenset({SMALL_ENTERPRISE}),
        ReportKind.SUBCONTRACT: frozenset({MAIN_PART, AGREED, AGAIN}),
    }
)
"""What may be said of a payee, and of what is passed on: that it belongs to the main part, that the
contract or the tenderee agrees, that it was passed on before.
"""


@dataclass(frozen=True, slots=True)
class ChangeOffer:
    """A change that one side has signed: its number, and the digest that both sides sign."""

    number: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Changed:
    """A change in force, and what the contract comes to with it."""

    number: int
    price: Decimal
    changed_by: Decimal


@dataclass(frozen=True, slots=True)
class Reported:
    """A report as it was taken in."""

    digest: bytes
    late: bool
    cautions: tuple[Caution, ...]


@dataclass(frozen=True, slots=True)
class Settled:
    """A settlement as it was published."""

    settlement: Settlement
    cautions: tuple[Caution, ...]


@by(Role.TENDEREE, Role.BIDDER)
async def offer_change(tx: Transaction, lot_id: LotId, raw: bytes) -> ChangeOffer:
    """Sign a change for one side; it waits for the other, and a later one takes its place."""
    case, side = await _acting(tx, lot_id)
    statement = await _statement(tx, case, raw, "contract-change")
    _require(Step.CHANGE, case)
    contract = require_contract(statement.payload["contract"], case)
    digest = sha256(Envelope.from_bytes(raw).payload)
    change, number, period = _change_in(statement.payload, case, contract)
    if await tx.session.get(ContractChangeOfferRow, digest) is not None:
        return ChangeOffer(number, digest)
    if number != len(case.changes) + 1:
        raise Malformed("changes are numbered one after another", code="change_number")

    refusals = change_refusals(change, case.switches)
    if refusals:
        raise Refused(refusals)

    await take_part(tx, lot_id)
    tx.session.add(
        ContractChangeOfferRow(
            digest=digest,
            lot_id=lot_id,
            number=number,
            side=side,
            reason=change.reason,
            words=change.words,
            amount=change.amount,
            period=period,
            statement=raw,
            offered_by=tx.actor.person,
            offered_at=tx.now,
        )
    )

    other = Side.WINNER if side is Side.TENDEREE else Side.TENDEREE
    tx.record(
        ContractChangeOffered(
            lot_id, addressee_id=case.party_at(other), number=number, change_digest=digest
        )
    )

    return ChangeOffer(number, digest)


@by(Role.TENDEREE, Role.BIDDER)
async def agree_change(tx: Transaction, lot_id: LotId, number: int, raw: bytes) -> Changed:
    """Sign for the other side the very words of the change; it is in force and public then."""
    case, side = await _acting(tx, lot_id)
    statement = await _statement(tx, case, raw, "contract-change")
    _require(Step.CHANGE, case)
    contract = require_contract(statement.payload["contract"], case)
    offer = await open_change(tx, case)
    if offer is None or offer.number != number:
        raise NotFound("no such change waits for a signature")
    if offer.side == side:
        raise BrokenSeal("a change waits for the other side's signature")
    both = signed_alike(offer.statement, raw)

    change, _, _ = _change_in(statement.payload, case, contract)
    refusals = change_refusals(change, case.switches)
    if refusals:
        raise Refused(refusals)

    await take_part(tx, lot_id)
    tx.session.add(
        ContractChangeRow(
            lot_id=lot_id,
            number=number,
            digest=offer.digest,
            statement=both,
            agreed_by=tx.actor.person,
            agreed_at=tx.now,
        )
    )

    changed_by = case.changed_by + offer.amount
    tx.record(
        ContractChanged(
            lot_id,
            number=number,
            reason=offer.reason,
            amount=offer.amount,
            price=contract.price + changed_by,
            change_digest=offer.digest,
        )
    )
    _tell_back(
        tx,
        case,
        "change",
        offer.digest,
        price=contract.price + changed_by,
        period=offer.period or period_now(case),
    )

    return Changed(number, contract.price + changed_by, changed_by)


@by(Role.TENDEREE, Role.BIDDER)
async def report_performance(tx: Transaction, lot_id: LotId, raw: bytes) -> Reported:
    """Report progress, a payment, a milestone or a subcontract.

    The same statement again is the same report.
    """
    case, side = await _acting(tx, lot_id)
    statement = await _statement(tx, case, raw, "performance-report")
    _require(Step.REPORT, case)
    contract = require_contract(statement.payload["contract"], case)
    row, cautions = _report_in(tx, statement, raw, side)
    known = await tx.session.get(PerformanceReportRow, row.digest)
    if known is not None:
        return Reported(known.digest, known.late, ())

    await take_part(tx, lot_id)
    tx.session.add(row)

    tx.record(
        PerformanceReported(
            lot_id,
            side=side,
            what=row.kind,
            on=row.on,
            late=row.late,
            statement_digest=row.digest,
        )
    )
    _tell_back(
        tx,
        case,
        row.kind,
        row.digest,
        price=contract.price + case.changed_by,
        period=period_now(case),
        late=row.late,
    )

    return Reported(row.digest, row.late, tuple(cautions))


@by(Role.TENDEREE)
async def settle(tx: Transaction, lot_id: LotId, raw: bytes) -> Settled:
    """Publish what the finished contract cost by its audit, and the difference from the award."""
    case = await locked_case(tx, lot_id)
    await lots.owned(tx, lot_id)
    statement = await _statement(tx, case, raw, "settlement")
    _require(Step.SETTLE, case)
    contract = require_contract(statement.payload["contract"], case)
    assert case.award is not None
    said = statement.payload
    words = _words_in(said["words"])
    completed_on, audited_on = day_in(said["completed_on"]), day_in(said["audited_on"])
    if not completed_on <= audited_on <= beijing_day(tx.now):
        raise Malformed("work ends, is audited, and is settled then", code="dates")
    settlement = Settlement(case.award.price, yuan_in(said["amount"]))
    cautions = settlement_cautions(settlement, explained=words)

    await take_part(tx, lot_id)
    settled = ContractSettled(
        lot_id,
        awarded=settlement.awarded,
        settled=settlement.settled,
        difference=settlement.difference,
        statement_digest=statement.digest,
    )
    tx.session.add(
        SettlementRow(
            lot_id=lot_id,
            awarded=settlement.awarded,
            agreed=contract.price + case.changed_by,
            settled=settlement.settled,
            auditor=clean_text(said["auditor"], at_most=NAME_MAX),
            document=clean_text(said["document"], at_most=NAME_MAX),
            completed_on=completed_on,
            audited_on=audited_on,
            words=words,
            digest=statement.digest,
            statement=raw,
            settled_by=tx.actor.person,
            settled_at=tx.now,
            entry_id=tx.record(settled),
            cautions=[one.as_json() for one in cautions],
        )
    )

    _tell_back(
        tx,
        case,
        "settlement",
        statement.digest,
        price=settlement.settled,
        period=period_now(case),
    )

    return Settled(settlement, tuple(cautions))


async def open_change(tx: Transaction, case: Case) -> ContractChangeOfferRow | None:
    """The change that one side has signed and the other has not; None where none waits."""
    found: ContractChangeOfferRow | None = await tx.session.scalar(
        select(ContractChangeOfferRow)
        .where(
            col(ContractChangeOfferRow.lot_id) == case.lot.id,
            col(ContractChangeOfferRow.number) == len(case.changes) + 1,
        )
        .order_by(col(ContractChangeOfferRow.offered_at).desc(), col(ContractChangeOfferRow.digest))
        .limit(1)
    )
    return found


def period_now(case: Case) -> str:
    """The period that binds now: the newest that a change set, or else the contract's."""
    for one in reversed(case.changes):
        if one.offer.period:
            return one.offer.period
    assert case.contract is not None
    return terms_in(said_by(case.contract.statement)["terms"]).period


def day_in(told: object) -> date:
    """A day as a statement writes it: `2026-06-30`."""
    words = text_of(told)
    try:
        return date.fromisoformat(words if _DAY.fullmatch(words) else "")
    except ValueError:
        raise Malformed("a day is written as 2026-06-30", code="day") from None


async def _acting(tx: Transaction, lot_id: LotId) -> tuple[Case, Side]:
    case = await locked_case(tx, lot_id)
    return case, side_acting(tx, case)


async def _statement(tx: Transaction, case: Case, raw: bytes, kind: str) -> Statement:
    return await verified_statement(tx, raw, kind, lot=case.lot.id, project=case.lot.project_id)


def _require(step: Step, case: Case) -> None:
    refusals = step_refusals(step, case.course, case.switches)
    if refusals:
        raise Refused(refusals)


def _words_in(told: object) -> str:
    words = text_of(told)
    return clean_text(words, at_most=WORDS_MAX) if words.strip() else ""


def _change_in(said: dict[str, Any], case: Case, contract: ContractRow) -> tuple[Change, int, str]:
    if said["reason"] not in list(ChangeReason):
        raise Malformed(f"a change is for one of: {', '.join(ChangeReason)}", code="reason")
    number = count_of(said["number"])
    if not 0 < number <= NUMBER_MAX:
        raise Malformed("changes are numbered from one", code="change_number")
    supplements = sum(
        (
            one.offer.amount
            for one in case.changes
            if one.offer.reason == ChangeReason.ADDITIONAL_PURCHASE
        ),
        Decimal(0),
    )
    change = Change(
        ChangeReason(text_of(said["reason"])),
        _words_in(said["words"]),
        yuan_in(said["amount"], signed=True),
        contract.price,
        supplements,
    )
    period = text_of(said["period"])
    if contract.price + case.changed_by + change.amount < 0:
        raise Malformed("a contract costs nothing at the least", code="amount")
    return change, number, clean_text(period, at_most=NAME_MAX) if period.strip() else ""


def _report_in(
    tx: Transaction, statement: Statement, raw: bytes, side: Side
) -> tuple[PerformanceReportRow, list[Caution]]:
    said = statement.payload
    if said["kind"] not in list(ReportKind):
        raise Malformed(f"a report is one of: {', '.join(ReportKind)}", code="kind")
    on = day_in(said["on"])
    if on > beijing_day(tx.now):
        raise Malformed("a report is on what has been done", code="day")
    due_on = _optional(said, "due_on", day_in)
    amount = _optional(said, "amount", yuan_in)
    share = _optional(said, "share", _share_in)
    delivered_on = _optional(said, "delivered_on", day_in)
    kind = ReportKind(said["kind"])
    marks = {text_of(one) for one in list_of(said.get("marks", []), at_most=3)}
    if not marks <= MARKS.get(kind, frozenset()):
        raise Malformed("no such mark", code="marks")
    wanted = {
        ReportKind.PROGRESS: share,
        ReportKind.PAYMENT: amount,
        ReportKind.MILESTONE: due_on,
        ReportKind.SUBCONTRACT: _words_in(said["words"]) or None,
    }
    if wanted[kind] is None:
        raise Malformed(
            "progress has a share, a payment an amount, a milestone its day, a subcontract says"
            " what is passed on to whom"
        )
    cautions = []
    if kind is ReportKind.SUBCONTRACT:
        cautions = subcontract_cautions(
            main_part=MAIN_PART in marks, agreed=AGREED in marks, again=AGAIN in marks
        )
    if said["kind"] == ReportKind.PAYMENT and delivered_on is not None:
        cautions = payment_cautions(
            delivered_on=delivered_on,
            pays_on=on,
            small_enterprise=bool(marks),
            calendar=tx.settings.calendar,
        )
    row = PerformanceReportRow(
        digest=statement.digest,
        lot_id=said["lot"],
        side=side,
        kind=said["kind"],
        words=_words_in(said["words"]),
        amount=amount if said["kind"] == ReportKind.PAYMENT else None,
        share=share if said["kind"] == ReportKind.PROGRESS else None,
        on=on,
        due_on=due_on,
        late=(kind is ReportKind.PAYMENT and bool(cautions))
        or (due_on is not None and on > due_on),
        statement=raw,
        reported_by=tx.actor.person,
        reported_at=tx.now,
        cautions=[one.as_json() for one in cautions],
    )
    return row, cautions


def _optional(said: dict[str, Any], name: str, read: Any) -> Any:
    """What a statement says under a name, read; None where it leaves it out or says nothing."""
    return None if said.get(name) in (None, "") else read(said[name])


def _share_in(told: object) -> int:
    words = text_of(told)
    if not re.fullmatch(r"0|[1-9][0-9]?|100", words, re.ASCII):
        raise Malformed("a share is a whole number of percent", code="share")
    return int(words)


def _tell_back(
    tx: Transaction,
    case: Case,
    what: str,
    digest: bytes,
    *,
    price: Decimal,
    period: str,
    late: bool = False,
) -> None:
    assert case.award is not None
    tx.record(
        PerformanceReturned(
            case.lot.id,
            award_digest=case.award.digest,
            winner_id=case.award.winner_id,
            what=what,
            statement_digest=digest,
            price=price,
            period=period,
            late=late,
        )
    )
