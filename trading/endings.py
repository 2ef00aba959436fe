"""How a tender was ended before its time, as everybody may read it.

The notice says why, and what goes back to those who paid; it never says who or how many they were.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import and_, exists, select
from sqlmodel import col

from kernel.access import Role, by
from kernel.errors import NotFound
from kernel.statute import Article
from kernel.store.tables import JournalRow
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day
from trading.events import LotCancelled, LotFailed
from trading.handover import switches_for
from trading.notice_board import NoticeLine, Search, line_of, lot_rows, matching
from trading.rules.lot_lifecycle import LotMove, LotState, article_of, was_closed
from trading.rules.procedures import Procedure, switches_of
from trading.rules.question_window import secrecy_article
from trading.rules.tender_ending import Promise, return_article, return_due_at
from trading.tables import LotRow, NoticeRow, ProjectRow

ENDED_EACH: Final = 50


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


@dataclass(frozen=True, slots=True)
class EndedLot:
    """One lot that ended without an award: when, in which state it was, why, on which article."""

    line: NoticeLine
    ended_at: datetime
    ended_in: LotState
    reason: str
    article: str
    noticed: bool
    """Whether a notice of its own ended it, and not a decision or a count."""


@by(*Role)
async def ended_lots(tx: Transaction, wanted: Search) -> tuple[tuple[EndedLot, ...], bool]:
    """The published lots that match and ended without an award, the newest end first; and whether
    there are more.

    What ended each was told to everybody when it happened; how many had bid is not in it.
    """
    wanted = replace(wanted, stage="ended")
    noticed = exists().where(
        col(NoticeRow.lot_id) == col(LotRow.id), col(NoticeRow.kind) == "cancellation"
    )
    rows = (
        await tx.session.execute(
            lot_rows(matching(wanted))
            .join(
                JournalRow,
                and_(
                    col(JournalRow.subject_id) == col(LotRow.id),
                    col(JournalRow.kind).in_((LotFailed.__name__, LotCancelled.__name__)),
                ),
            )
            .add_columns(col(JournalRow.recorded_at), col(JournalRow.record), noticed)
            .order_by(col(JournalRow.recorded_at).desc(), col(LotRow.id))
            .limit(ENDED_EACH + 1)
            .offset((wanted.page - 1) * ENDED_EACH)
        )
    ).all()
    found = tuple(_ended(tx, *row) for row in rows)
    return found[:ENDED_EACH], len(found) > ENDED_EACH


def _ended(  # one row, as it is selected above
    tx: Transaction,
    lot: LotRow,
    project: ProjectRow,
    tenderee: str,
    at: datetime,
    record: bytes,
    noticed: bool,
) -> EndedLot:
    facts = json.loads(record)["facts"]
    before = LotState(lot.path[-2])
    article = facts.get("article")
    if article is None:
        regime = switches_of(Procedure(project.procedure), on=beijing_day(at)).regime
        article = str(article_of(before, LotMove.CANCEL, regime=regime))
    return EndedLot(line_of(lot, project, tenderee), at, before, facts["reason"], article, noticed)


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
