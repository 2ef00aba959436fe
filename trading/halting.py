"""A lot is halted without a complaint: a supervisor orders it, or a fault of the system stops it.

What a supervisor orders names who orders what by which paper, and only a supervisor lets the lot go
on. A fault halts a lot while it lasts and nothing stands in for what failed; the centre says so,
and says when it is mended. Each is signed and public at once, and the lot waits like under any
brake.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import func, select
from sqlmodel import col

from kernel.access import Role, by
from kernel.errors import Refused
from kernel.identifiers import LotId
from kernel.randomness import random_id
from kernel.refusals import Refusal
from kernel.statute import NINGBO_REGULATION
from kernel.store.parties import Statement, take_part, verified_statement
from kernel.store.transaction import Transaction
from trading import lots
from trading.events import LotHalted
from trading.objecting import require_public
from trading.petitions import words_in, yes_or_no
from trading.prequalification_rounds import lot_phase
from trading.rules.lot_lifecycle import LotState, resumption_refusals, suspension_refusals
from trading.rules.prequalification import brake_refusals
from trading.rules.procedures import Procedure
from trading.rules.tender_ending import halts_for_fault, order_refusals
from trading.tables import LotHaltRow, LotRow, ProjectRow

FAULTS_MAX: Final = 20


class HaltGround(StrEnum):
    """Why a lot stands still without an objection or a complaint."""

    ORDER = "order"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Halt:
    """One order or one word on a fault, as everybody reads it."""

    number: int
    ground: HaltGround
    suspended: bool
    authority: str
    document: str
    words: str
    ordered_at: datetime
    digest: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """What the centre said of a fault of the system, and of which lot, as everybody reads it."""

    lot_id: LotId
    lot_name: str
    mended: bool
    words: str
    told_at: datetime


@dataclass(frozen=True, slots=True)
class Halts:
    """Everything that halted a lot or let it go on, and what the reader may do now."""

    lot_id: LotId
    lot_name: str
    project_name: str
    procedure: Procedure
    halts: tuple[Halt, ...]
    may_say: HaltGround | None
    standing: bool
    """Whether what the reader may speak of halts the lot now."""


@by(Role.SUPERVISOR)
async def order_lot(tx: Transaction, lot_id: LotId, raw: bytes) -> None:
    """Order that a lot stands still, or that it goes on; the same order again is the same order."""
    lot = require_public(await lots.lock(tx, lot_id))
    statement = await verified_statement(tx, raw, "lot-order", lot=lot_id, project=lot.project_id)
    if await _is_kept(tx, statement):
        return
    told = statement.payload
    suspends = yes_or_no(told["suspended"])
    authority, document = words_in(told["authority"]), words_in(told["document"])
    words = words_in(told["words"])

    refusals = order_refusals(ordered_by=authority, document=document, words=words)
    standing = await _standing(tx, lot, HaltGround.ORDER)
    refusals += _brake_refusals(tx, lot, standing, suspends=suspends)
    if suspends and lot.state == LotState.DRAFT:
        refusals += brake_refusals(await lot_phase(tx, lot))
    if refusals:
        raise Refused(refusals)

    row = await _keep(tx, lot, statement, HaltGround.ORDER, suspends, authority, document, words)

    basis = f"{authority} {document}"
    _tell(tx, lot, row, standing, f"行政监督部门责令{{}}（{basis}）")


@by(Role.CENTRE_STAFF)
async def halt_for_fault(tx: Transaction, lot_id: LotId, raw: bytes) -> None:
    """Say that a fault of the system halts a lot, or that it is mended and the lot goes on."""
    lot = require_public(await lots.lock(tx, lot_id))
    statement = await verified_statement(tx, raw, "lot-fault", lot=lot_id, project=lot.project_id)
    if await _is_kept(tx, statement):
        return
    told = statement.payload
    cured, fallback = yes_or_no(told["cured"]), yes_or_no(told["fallback"])
    words = words_in(told["words"])

    standing = await _standing(tx, lot, HaltGround.FAULT)
    halts = halts_for_fault(LotState(lot.state), cured=cured, fallback=fallback)
    if not cured and fallback:
        reason = "已有替代方案可以继续进行的，不予中止"
        raise Refused([Refusal("fallback_stands", NINGBO_REGULATION[25], reason)])
    if halts or cured:
        refusals = _brake_refusals(tx, lot, standing, suspends=halts)
    else:
        refusals = suspension_refusals(LotState(lot.state), suspended=standing is not None)
    if not words.strip():
        reason = "应当说明故障或者排除的情况"
        refusals.append(Refusal("no_reason", NINGBO_REGULATION[25], reason))
    if refusals:
        raise Refused(refusals)

    row = await _keep(tx, lot, statement, HaltGround.FAULT, halts, "", "", words)

    _tell(tx, lot, row, standing, "系统故障，{}交易" if halts else "系统故障已排除，{}交易")


@by(*Role)
async def newest_faults(tx: Transaction) -> tuple[Fault, ...]:
    """The newest words of the centre on faults of the system that halted published lots."""
    rows = await tx.session.execute(
        select(LotHaltRow, col(LotRow.name))
        .join(LotRow, col(LotRow.id) == col(LotHaltRow.lot_id))
        .where(col(LotHaltRow.ground) == HaltGround.FAULT, col(LotRow.published_at).is_not(None))
        .order_by(col(LotHaltRow.ordered_at).desc(), col(LotHaltRow.id))
        .limit(FAULTS_MAX)
    )
    return tuple(
        Fault(LotId(row.lot_id), name, not row.suspended, row.words, row.ordered_at)
        for row, name in rows
    )


@by(*Role)
async def halts_of(tx: Transaction, lot_id: LotId) -> Halts:
    """Every order and every word on a fault about a lot, the first one first."""
    lot = require_public(await tx.session.get(LotRow, lot_id))
    project = await tx.session.get_one(ProjectRow, lot.project_id)
    rows = await tx.session.scalars(
        select(LotHaltRow).where(col(LotHaltRow.lot_id) == lot_id).order_by(col(LotHaltRow.number))
    )
    ground = _GROUND_OF.get(tx.actor.role)
    return Halts(
        lot_id,
        lot.name,
        project.name,
        Procedure(project.procedure),
        tuple(
            Halt(
                row.number,
                HaltGround(row.ground),
                row.suspended,
                row.authority,
                row.document,
                row.words,
                row.ordered_at,
                row.digest,
            )
            for row in rows
        ),
        ground,
        ground is not None and await _standing(tx, lot, ground) is not None,
    )


_GROUND_OF = {Role.SUPERVISOR: HaltGround.ORDER, Role.CENTRE_STAFF: HaltGround.FAULT}


async def _is_kept(tx: Transaction, statement: Statement) -> bool:
    found = await tx.session.scalar(
        select(col(LotHaltRow.number)).where(col(LotHaltRow.digest) == statement.digest)
    )
    return found is not None


async def _standing(tx: Transaction, lot: LotRow, ground: HaltGround) -> LotHaltRow | None:
    """What halts the lot now on this ground; None where nothing does."""
    rows = await tx.session.scalars(
        select(LotHaltRow).where(
            col(LotHaltRow.lot_id) == lot.id,
            col(LotHaltRow.ground) == ground,
            col(LotHaltRow.suspended),
        )
    )
    return next((row for row in rows if str(row.id) in lot.brakes), None)


def _brake_refusals(
    tx: Transaction, lot: LotRow, standing: LotHaltRow | None, *, suspends: bool
) -> list[Refusal]:
    held = standing is not None
    if suspends:
        if not held and lot.suspended:
            return []
        return suspension_refusals(LotState(lot.state), suspended=held, called=lot.prequalified)
    if held and len(lot.brakes) > 1:
        return []
    return resumption_refusals(lots.standstill_of(tx, lot, held=held))


async def _keep(
    tx: Transaction,
    lot: LotRow,
    statement: Statement,
    ground: HaltGround,
    suspended: bool,
    authority: str,
    document: str,
    words: str,
) -> LotHaltRow:
    await take_part(tx, lot.id)
    number = await tx.session.scalar(
        select(func.count()).where(col(LotHaltRow.lot_id) == lot.id).select_from(LotHaltRow)
    )
    row = LotHaltRow(
        id=random_id(),
        lot_id=lot.id,
        number=(number or 0) + 1,
        ground=ground,
        suspended=suspended,
        authority=authority,
        document=document,
        words=words,
        party_id=tx.actor.party,
        person_id=tx.actor.person,
        digest=statement.digest,
        statement=statement.envelope,
        ordered_at=tx.now,
    )
    tx.session.add(row)
    return row


def _tell(
    tx: Transaction, lot: LotRow, row: LotHaltRow, standing: LotHaltRow | None, reason: str
) -> None:
    """The signed paper, and that the lot stands still or goes on."""
    tx.record(
        LotHalted(
            lot.id,
            ground=row.ground,
            suspended=row.suspended,
            authority=row.authority,
            document=row.document,
            words=row.words,
            statement_digest=row.digest,
        )
    )
    if row.suspended:
        lots.suspend(tx, lot, cause=row.id, reason=reason.format("暂停"))
    elif standing is not None:
        lots.resume(tx, lot, cause=standing.id, reason=reason.format("恢复"))
