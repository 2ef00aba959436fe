"""How a tender was ended before its time, as everybody may read it.

The notice says why, and what goes back to those who paid; it never says who or how many they were.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from kernel.access import Role, by
from kernel.errors import NotFound
from kernel.statute import Article
from kernel.store.transaction import Transaction
from trading.handover import switches_for
from trading.rules.lot_lifecycle import LotMove, LotState, article_of, was_closed
from trading.rules.question_window import secrecy_article
from trading.rules.tender_ending import Promise, return_article, return_due_at
from trading.tables import LotRow, NoticeRow


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a tender: its signed notice, when and where it came, and what follows from it.

    `return_due_at` is None where the law says only that it goes back without delay. `closed` says
    whether the lot was ever closed, `read_out` whether its bids were opened.
    """

    notice: int
    reason: str
    ended_at: datetime
    ended_in: LotState
    promises: tuple[Promise, ...]
    bid_security: Decimal
    return_due_at: datetime | None
    article: Article
    return_article: Article
    secrecy_article: Article
    closed: bool
    read_out: bool
    digest: bytes
    statement: bytes


@by(*Role)
async def ending(tx: Transaction, lot_id: UUID) -> Ending:
    """How a published lot was ended; `NotFound` for one that was not."""
    lot = await tx.session.get(LotRow, lot_id)
    row = await tx.session.scalar(
        select(NoticeRow).where(
            col(NoticeRow.lot_id) == lot_id, col(NoticeRow.kind) == "cancellation"
        )
    )
    if lot is None or row is None:
        raise NotFound("the tender was not ended")
    switches = await switches_for(tx, lot)
    before = LotState(lot.path[-2])

    return Ending(
        row.number,
        row.body["reason"],
        row.published_at,
        before,
        tuple(Promise(one) for one in row.body.get("promises", [])),
        lot.bid_security,
        return_due_at(row.published_at, switches, calendar=tx.settings.calendar),
        article_of(before, LotMove.CANCEL, regime=switches.regime),
        return_article(switches),
        secrecy_article(switches),
        closed=was_closed(lot.path),
        read_out=LotState.OPENED in lot.path,
        digest=row.digest,
        statement=row.statement,
    )
