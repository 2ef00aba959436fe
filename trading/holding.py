"""A supervisor orders that nothing of a lot be erased, and lifts the order again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from kernel.access import Role, by
from kernel.errors import NotFound
from kernel.identifiers import HoldId, LotId
from kernel.randomness import random_id
from kernel.store.parties import take_part, verified_statement
from kernel.store.transaction import Transaction
from trading import lots
from trading.drafting import clean_text
from trading.events import LegalHoldLifted, LegalHoldSet
from trading.tables import LegalHoldEndRow, LegalHoldRow

WORDS_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class HoldTold:
    """A legal hold as those who keep the archive see it."""

    id: HoldId
    authority: str
    document: str
    reason: str
    set_at: datetime
    lifted_at: datetime | None
    lifted_because: str


@by(Role.SUPERVISOR)
async def set_hold(tx: Transaction, lot_id: LotId, raw: bytes) -> HoldId:
    """Order that nothing of a published lot be erased; the same order twice is one."""
    lot = await lots.hold(tx, lot_id)
    statement = await verified_statement(tx, raw, "legal-hold", lot=lot_id)
    if lot.published_at is None:
        raise NotFound("no such lot")
    before = await tx.session.scalar(
        select(LegalHoldRow).where(col(LegalHoldRow.digest) == statement.digest)
    )
    if before is not None:
        return HoldId(before.id)
    said = {
        name: clean_text(statement.payload[name], at_most=WORDS_MAX)
        for name in ("authority", "document", "reason")
    }

    await take_part(tx, lot_id)
    row = LegalHoldRow(
        id=random_id(),
        lot_id=lot_id,
        digest=statement.digest,
        statement=raw,
        set_by=tx.actor.person,
        set_at=tx.now,
        **said,
    )
    tx.session.add(row)

    tx.record(LegalHoldSet(lot_id, hold_id=row.id, statement_digest=statement.digest))

    return HoldId(row.id)


@by(Role.SUPERVISOR)
async def lift_hold(tx: Transaction, lot_id: LotId, hold_id: HoldId, raw: bytes) -> None:
    """Lift a legal hold; saying it twice changes nothing."""
    await lots.hold(tx, lot_id)
    row = await tx.session.get(LegalHoldRow, hold_id)
    if row is None or row.lot_id != lot_id:
        raise NotFound("no such hold")
    statement = await verified_statement(tx, raw, "legal-hold-end", lot=lot_id, hold=hold_id)
    reason = clean_text(statement.payload["reason"], at_most=WORDS_MAX)
    if await tx.session.get(LegalHoldEndRow, hold_id) is not None:
        return

    await take_part(tx, lot_id)
    tx.session.add(
        LegalHoldEndRow(
            hold_id=hold_id,
            reason=reason,
            digest=statement.digest,
            statement=raw,
            lifted_by=tx.actor.person,
            lifted_at=tx.now,
        )
    )

    tx.record(LegalHoldLifted(lot_id, hold_id=hold_id, statement_digest=statement.digest))


# ── for the neighbours in this house ──────────────────────────────────────────────────────────


async def holds_on(tx: Transaction, lot_ids: list[UUID]) -> list[HoldTold]:
    """Every legal hold ever set on these lots, the newest first."""
    rows = await tx.session.execute(
        select(LegalHoldRow, LegalHoldEndRow)
        .outerjoin(LegalHoldEndRow, col(LegalHoldEndRow.hold_id) == col(LegalHoldRow.id))
        .where(col(LegalHoldRow.lot_id).in_(lot_ids))
        .order_by(col(LegalHoldRow.set_at).desc(), col(LegalHoldRow.id))
    )
    return [
        HoldTold(
            HoldId(row.id),
            row.authority,
            row.document,
            row.reason,
            row.set_at,
            None if end is None else end.lifted_at,
            "" if end is None else end.reason,
        )
        for row, end in rows
    ]
