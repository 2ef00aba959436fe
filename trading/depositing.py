"""A bidder provides its security: a number to pay under, or a guarantee; a bank tells what arrived.

Until the opening nobody may learn whether, or for which lot, anybody paid (招标投标法 22;
公共资源交易平台管理暂行办法 18). So each bidder gets for each lot a random number that says
nothing; the bank's statement names only such numbers; and whoever takes a statement in is answered
by the number of its lines, which stands in the file that was sent, and by nothing else. Which line
is whose is worked out where the bidder asks, and told to that bidder alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import delete, exists, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto.digests import Malformed, sha256, text_of, unb64u
from kernel.errors import NotFound, Refused, TooMuch
from kernel.identifiers import LotId, PartyId
from kernel.money import parse_yuan
from kernel.randomness import random_bytes, random_id
from kernel.store.clocks import unshifted_clock
from kernel.store.database import lock_exclusive, lock_key
from kernel.store.documents import Documents
from kernel.store.events import PLATFORM_ITSELF
from kernel.store.parties import Statement, require_verified, take_part, verified_statement
from kernel.store.transaction import Store, Transaction
from kernel.working_days import ONE_DAY, beijing_day
from trading import lots
from trading.bank_statements import Fault, MalformedStatement, StatementLine, StatementSource
from trading.bound_bids import bound_bids
from trading.drafting import clean_text
from trading.events import (
    GuaranteeFiled,
    SecurityArrived,
    SecurityReferenceGiven,
    StatementTaken,
)
from trading.handover import switches_for
from trading.payment_references import new_reference
from trading.rules.lot_lifecycle import LotState
from trading.rules.procedures import SecurityForm
from trading.rules.security_course import (
    GuaranteeFacts,
    guarantee_refusals,
    reference_refusals,
)
from trading.security_facts import Standing, standings_of
from trading.settling_listings import match_payments
from trading.tables import (
    BankLineRow,
    BankStatementRow,
    GuaranteeFileRow,
    GuaranteeRow,
    LotRow,
    SecurityAccountRow,
)
from trading.uploading import ABANDONED_AFTER, PARTS_KEPT, SWEPT_AT_ONCE

DRAWER: Final = "guarantees"
GUARANTEE_MAX: Final = 8 << 20
UNFILED_MAX: Final = 4
"""So many papers of guarantees a bidder may have sent for one lot and not filed."""

STATEMENT_FILE_MAX: Final = 2 << 20
NAME_MAX: Final = 200
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_PDF: Final = b"%PDF-"


@dataclass(frozen=True, slots=True)
class Taken:
    """A statement that was taken in: the number of lines in it, whosever they are."""

    digest: bytes
    lines: int
    taken_at: datetime


@dataclass(frozen=True, slots=True)
class Guarantee:
    """What a statement says of a guarantee."""

    form: SecurityForm
    guarantor: str
    number: str
    amount: Decimal
    valid_until: date
    document: bytes


@dataclass(frozen=True, slots=True)
class Filed:
    """A guarantee as it was taken in."""

    digest: bytes
    filed_at: datetime


def guarantee_drawer(documents: Documents) -> Documents:
    """Where guarantees lie: apart from what everybody may ask for by its digest."""
    return documents.drawer(DRAWER)


# ── the bidder ────────────────────────────────────────────────────────────────────────────────


@by(Role.BIDDER)
async def payment_reference(tx: Transaction, lot_id: LotId) -> str:
    """The number under which the acting bidder pays for this lot; the same however often asked."""
    lot = await _published(tx, lot_id)
    await require_verified(tx)
    known = await _account(tx, lot_id)
    switches = await switches_for(tx, lot)

    assert lot.bids_due_at is not None
    refusals = reference_refusals(
        asked=lot.bid_security,
        forms=frozenset(SecurityForm(one) for one in lot.security_forms),
        now=tx.now,
        bids_due_at=lot.bids_due_at,
        lot_state=LotState(lot.state),
        switches=switches,
    )
    if known is not None:
        return known.reference
    if refusals:
        raise Refused(refusals)

    return (await _opened_account(tx, lot)).reference


@by(Role.BIDDER)
async def keep_guarantee_file(tx: Transaction, lot_id: LotId, content: bytes) -> bytes:
    """Keep the paper of a guarantee that is going to be filed; its digest.

    One that is not filed within two days is swept; `TooMuch` for more than a few at a time.
    """
    await _published(tx, lot_id)
    await require_verified(tx)
    if not content.startswith(_PDF):
        raise Malformed("a guarantee is a PDF file", code="not_pdf")
    digest = sha256(content)
    await lock_exclusive(tx.session, _papers_of(lot_id, tx.actor.party))
    await lock_exclusive(tx.session, _paper_lock(digest))
    waiting = set(
        await tx.session.scalars(
            select(col(GuaranteeFileRow.digest)).where(
                col(GuaranteeFileRow.lot_id) == lot_id,
                col(GuaranteeFileRow.bidder_id) == tx.actor.party,
            )
        )
    )
    if digest not in waiting and len(waiting) >= UNFILED_MAX:
        raise TooMuch(f"本单位在本标段已有{len(waiting)}份尚未提交的保函文件，请先提交其中之一")

    await guarantee_drawer(tx.documents).keep(content)
    await tx.session.merge(
        GuaranteeFileRow(
            lot_id=lot_id,
            bidder_id=tx.actor.party,
            digest=digest,
            size=len(content),
            sent_at=await unshifted_clock(tx.session),
        )
    )

    return digest


@by(Role.BIDDER)
async def file_guarantee(tx: Transaction, lot_id: LotId, raw: bytes) -> Filed:
    """File a guarantee in place of money; a later one replaces it.

    The same statement again is the same filing.
    """
    lot = await _published(tx, lot_id)
    await require_verified(tx)
    statement = await verified_statement(tx, raw, "guarantee", lot=lot_id, project=lot.project_id)
    known = await tx.session.get(GuaranteeRow, statement.digest)
    if known is not None:
        return Filed(known.digest, known.filed_at)
    told = _guarantee_in(statement)
    await lock_exclusive(tx.session, _paper_lock(told.document))
    if not await guarantee_drawer(tx.documents).has(told.document):
        raise NotFound("the guarantee's file was not sent")
    switches = await switches_for(tx, lot)
    bound = await bound_bids(tx, lot)

    assert lot.bids_due_at is not None
    refusals = guarantee_refusals(
        GuaranteeFacts(
            form=told.form,
            amount=told.amount,
            valid_until=told.valid_until,
            filed_at=tx.now,
            asked=lot.bid_security,
            forms=frozenset(SecurityForm(one) for one in lot.security_forms),
            bids_due_at=lot.bids_due_at,
            validity_ends_on=beijing_day(bound.until(lot, tx.actor.party)) - ONE_DAY,
            extends=bound.days_of(tx.actor.party) > lot.validity_days,
        ),
        switches,
    )
    if refusals:
        raise Refused(refusals)

    account = await _account(tx, lot_id) or await _opened_account(tx, lot)
    await tx.session.execute(
        delete(GuaranteeFileRow).where(
            col(GuaranteeFileRow.lot_id) == lot_id,
            col(GuaranteeFileRow.bidder_id) == tx.actor.party,
            col(GuaranteeFileRow.digest) == told.document,
        )
    )
    tx.session.add(
        GuaranteeRow(
            digest=statement.digest,
            account_id=account.id,
            form=told.form,
            guarantor=told.guarantor,
            number=told.number,
            amount=told.amount,
            valid_until=told.valid_until,
            document=told.document,
            statement=raw,
            filed_by=tx.actor.person,
            filed_at=tx.now,
        )
    )

    tx.record(
        GuaranteeFiled(
            lot_id,
            addressee_id=tx.actor.party,
            amount=told.amount,
            valid_until=told.valid_until,
            document_digest=told.document,
            statement_digest=statement.digest,
        )
    )

    return Filed(statement.digest, tx.now)


@by(Role.BIDDER)
async def own_security(tx: Transaction, lot_id: LotId) -> tuple[LotRow, Standing]:
    """The lot, and where the acting bidder's own security stands; nobody else's ever."""
    lot = await _published(tx, lot_id)
    switches = await switches_for(tx, lot)
    (standing,) = await standings_of(tx, lot, switches, only=tx.actor.party)
    return lot, standing


@by(Role.BIDDER)
async def own_validity_ends_on(tx: Transaction, lot_id: LotId) -> date:
    """The last day on which the acting bidder's bid binds it, and its guarantee has to last."""
    lot = await _published(tx, lot_id)
    return beijing_day((await bound_bids(tx, lot)).until(lot, tx.actor.party)) - ONE_DAY


@by(Role.BIDDER)
async def own_guarantee(tx: Transaction, lot_id: LotId) -> bytes:
    """The paper of the acting bidder's newest guarantee."""
    _, standing = await own_security(tx, lot_id)
    if standing.guarantee is None:
        raise NotFound("no guarantee was filed")
    return await guarantee_drawer(tx.documents).read(standing.guarantee.document)


def _papers_of(lot_id: LotId, party_id: PartyId) -> str:
    return f"guarantee-papers:{lot_id}:{party_id}"


def _paper_lock(digest: bytes) -> str:
    return f"guarantee-paper:{digest.hex()}"


async def sweep_papers(store: Store) -> int:
    """Take the papers off the disk that were sent two days ago and never filed; how many.

    While somebody copies the documents, nothing leaves the disk. One that dies is finished by the
    next: the row goes with the transaction, and the file before it.
    """
    async with store.sessions() as session:
        before = await unshifted_clock(session) - ABANDONED_AFTER
        stale = (
            await session.scalars(
                select(GuaranteeFileRow)
                .where(col(GuaranteeFileRow.sent_at) < before)
                .limit(SWEPT_AT_ONCE)
            )
        ).all()
    return sum([await _swept(store, one, before) for one in stale])


async def _swept(store: Store, stale: GuaranteeFileRow, before: datetime) -> bool:
    async with store.sessions.begin() as session:
        if not await session.scalar(select(func.pg_try_advisory_xact_lock(lock_key(PARTS_KEPT)))):
            return False
        await lock_exclusive(session, _paper_lock(stale.digest))
        key = (stale.lot_id, stale.bidder_id, stale.digest)
        row = await session.get(GuaranteeFileRow, key)
        if row is None or row.sent_at >= before:
            return False
        await session.delete(row)
        await session.flush()
        needed = await session.scalar(
            select(
                or_(
                    exists().where(col(GuaranteeRow.document) == stale.digest),
                    exists().where(col(GuaranteeFileRow.digest) == stale.digest),
                )
            )
        )
        if not needed:
            await guarantee_drawer(store.documents).discard(stale.digest)
    return True


# ── the keeper of the account ─────────────────────────────────────────────────────────────────


@by(Role.CENTRE_STAFF)
async def take_statement(tx: Transaction, source: StatementSource) -> Taken:
    """Take in a bank's statement, whole or not at all; what was taken in before changes nothing.

    The answer tells how many lines there were. `MalformedStatement` where a payment was told
    before with another time, amount or reference.
    """
    told = source.read()
    await lock_exclusive(tx.session, "bank-statements")
    known = await tx.session.get(BankStatementRow, told.digest)
    if known is not None:
        return Taken(known.digest, known.line_count, known.taken_at)
    before = await _told_before(tx, told.lines)

    faults = [
        Fault(line.number, "serial_differs", "该流水号此前导入过，内容不同")
        for line in told.lines
        if line.serial in before and not _same(line, before[line.serial])
    ]
    if faults:
        raise MalformedStatement(faults)

    fresh = [line for line in told.lines if line.serial not in before]
    tx.session.add(
        BankStatementRow(
            digest=told.digest,
            line_count=len(told.lines),
            party_id=tx.actor.party,
            taken_by=tx.actor.person,
            taken_at=tx.now,
        )
    )
    await tx.session.flush()
    if fresh:
        await tx.session.execute(
            insert(BankLineRow),
            [
                {
                    "serial": line.serial,
                    "statement_digest": told.digest,
                    "received_at": line.received_at,
                    "amount": line.amount,
                    "reference": line.reference,
                    "taken_at": tx.now,
                }
                for line in fresh
            ],
        )

    tx.record(
        StatementTaken(
            PLATFORM_ITSELF,
            addressee_id=tx.actor.party,
            lines=len(told.lines),
            statement_digest=told.digest,
        )
    )
    await _tell_payers(tx, fresh)
    await match_payments(tx, fresh)

    return Taken(told.digest, len(told.lines), tx.now)


async def _told_before(tx: Transaction, lines: Sequence[StatementLine]) -> dict[str, BankLineRow]:
    rows = await tx.session.scalars(
        select(BankLineRow).where(col(BankLineRow.serial).in_([one.serial for one in lines]))
    )
    return {row.serial: row for row in rows}


def _same(line: StatementLine, row: BankLineRow) -> bool:
    return (line.received_at, line.amount, line.reference) == (
        row.received_at,
        row.amount,
        row.reference,
    )


async def _tell_payers(tx: Transaction, lines: Sequence[StatementLine]) -> None:
    """Tell each bidder, and nobody else, that its payment arrived."""
    rows = await tx.session.execute(
        select(SecurityAccountRow, col(LotRow.bids_due_at))
        .join(LotRow, col(LotRow.id) == col(SecurityAccountRow.lot_id))
        .where(col(SecurityAccountRow.reference).in_([one.reference for one in lines]))
    )
    accounts = {account.reference: (account, due_at) for account, due_at in rows.all() if due_at}
    for line in lines:
        if line.reference in accounts:
            account, due_at = accounts[line.reference]
            tx.record(
                SecurityArrived(
                    account.lot_id,
                    addressee_id=account.bidder_id,
                    amount=line.amount,
                    received_at=line.received_at,
                    in_time=line.received_at < due_at,
                )
            )


# ── what the acts above are made of ───────────────────────────────────────────────────────────


async def _published(tx: Transaction, lot_id: UUID) -> LotRow:
    lot = await lots.hold(tx, lot_id)
    if lot.published_at is None or lot.bids_due_at is None:
        raise NotFound("no such lot")
    return lot


async def _account(tx: Transaction, lot_id: UUID) -> SecurityAccountRow | None:
    return await tx.session.scalar(
        select(SecurityAccountRow).where(
            col(SecurityAccountRow.lot_id) == lot_id,
            col(SecurityAccountRow.bidder_id) == tx.actor.party,
        )
    )


async def _opened_account(tx: Transaction, lot: LotRow) -> SecurityAccountRow:
    """An account of the acting bidder's; two requests at once open one."""
    await take_part(tx, lot.id)
    await lock_exclusive(tx.session, f"security:{lot.id}/{tx.actor.party}")
    known = await _account(tx, lot.id)
    if known is not None:
        return known
    row = SecurityAccountRow(
        id=random_id(),
        lot_id=lot.id,
        bidder_id=tx.actor.party,
        reference=new_reference(random_bytes(8)),
        given_to=tx.actor.person,
        given_at=tx.now,
    )
    tx.session.add(row)
    await tx.session.flush()
    tx.record(SecurityReferenceGiven(lot.id, addressee_id=tx.actor.party, reference=row.reference))
    return row


def _guarantee_in(statement: Statement) -> Guarantee:
    said = statement.payload
    if said["form"] not in list(SecurityForm):
        raise Malformed("a form of security was expected", code="form")
    try:
        amount = Decimal(parse_yuan(text_of(said["amount"])))
        words = text_of(said["valid_until"])
        valid_until = date.fromisoformat(words if _DAY.fullmatch(words) else "")
    except ValueError:
        raise Malformed(
            "a guarantee has an amount like 1234.50 and a last day like 2026-06-30",
            code="guarantee",
        ) from None
    return Guarantee(
        SecurityForm(text_of(said["form"])),
        clean_text(said["guarantor"], at_most=NAME_MAX),
        clean_text(said["number"], at_most=NAME_MAX),
        amount,
        valid_until,
        unb64u(said["document"], 32),
    )
