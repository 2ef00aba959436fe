"""What is on record of a lot's talks: who was talked with, who left, and which last prices stand.

For the neighbours in this package. What it holds of prices is for those alone who may evaluate, and
only once they lie open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlmodel import col

from kernel.statute import CONSULTATION_MEASURES, NON_TENDER_MEASURES, Article
from kernel.store.tables import JournalRow
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day
from trading import lots
from trading.rules.decryption_outcome import Decryption
from trading.rules.lot_lifecycle import LotState
from trading.rules.price_talks import (
    Pause,
    PriceCall,
    TalkPhase,
    after_pauses,
    holds_talks,
    lie_open,
    phase_of,
    talks_article,
)
from trading.rules.procedures import Procedure, Switches, switches_of
from trading.rules.procurement_methods import MethodGround
from trading.tables import (
    DemandChangeRow,
    LastPriceCallRow,
    LastPriceOpeningRow,
    LastPriceRow,
    LotRow,
    OpenedBidRow,
    TalkAnswerRow,
    TalkLeaveRow,
    TalkRow,
)

OPENED: Final = (Decryption.OPENED, Decryption.OPENED_BY_CUSTODIANS)
ALLOW_TWO: Final = frozenset(
    {MethodGround.NO_BIDS, MethodGround.BOUGHT_SERVICE, MethodGround.AIDED_RESEARCH}
)
"""The cases in which two last prices may do, as we remember them."""


@dataclass(frozen=True, slots=True)
class ProvenPause:
    """A pause, and the entries that say when it began and ended; None while it has not."""

    pause: Pause
    suspended_entry: UUID
    resumed_entry: UUID | None


@dataclass(frozen=True, slots=True)
class TalkFile:
    """The talks of one lot; `bids` are the opened first responses, by their suppliers."""

    lot: LotRow
    switches: Switches
    allows_two: bool
    phase: TalkPhase
    bids: Mapping[UUID, UUID]
    first_prices: Mapping[UUID, Decimal | None]
    talks: tuple[TalkRow, ...]
    answers: Mapping[UUID, TalkAnswerRow]
    changes: tuple[DemandChangeRow, ...]
    left: Mapping[UUID, TalkLeaveRow]
    call: LastPriceCallRow | None
    handed_in: Mapping[UUID, LastPriceRow]
    opened: Mapping[UUID, LastPriceOpeningRow]
    times: PriceCall | None = None
    """The call with its times as they hold now, what stood still not counted."""

    pauses: tuple[ProvenPause, ...] = ()

    @property
    def article(self) -> Article:
        """By what an act in these talks is refused."""
        return talks_article(self.switches)

    @property
    def asked(self) -> frozenset[UUID]:
        """Who was asked for a last price."""
        return frozenset() if self.call is None else frozenset(map(UUID, self.call.asked))

    @property
    def gone(self) -> frozenset[UUID]:
        """Who left the talks, by its word or by not opening a last price that it was asked for."""
        silent = self.asked - set(self.opened) if lie_open(self.phase) else frozenset()
        return frozenset(self.left) | silent

    @property
    def papers(self) -> tuple[bytes, ...]:
        """The digests of what was signed about last prices: the commitments, then the openings."""
        return (
            *(self.handed_in[bidder].digest for bidder in sorted(self.handed_in)),
            *(self.opened[bidder].digest for bidder in sorted(self.opened)),
        )

    @property
    def refiling_article(self) -> Article:
        """What asks suppliers for their responses anew once the demand was changed, from memory."""
        scored = self.switches.scored
        return CONSULTATION_MEASURES[20] if scored else NON_TENDER_MEASURES[32]

    def not_refiled(self, remaining: frozenset[UUID]) -> frozenset[UUID]:
        """Who of these handed in no files since the demand was last changed."""
        if not self.changes:
            return frozenset()
        changed_at = self.changes[-1].confirmed_at
        refiled = {
            one.bidder_id
            for one in self.talks
            if (answer := self.answers.get(one.id)) is not None
            and answer.files
            and answer.answered_at >= changed_at
        }
        return remaining - refiled

    def talked(self, remaining: frozenset[UUID]) -> dict[UUID, int]:
        """How often the group talked with each of these suppliers."""
        counts = dict.fromkeys(remaining, 0)
        for one in self.talks:
            if one.bidder_id in counts:
                counts[one.bidder_id] += 1
        return counts

    def last_price(self, bidder: UUID) -> Decimal | None:
        """The supplier's last price, once all lie open."""
        if not lie_open(self.phase) or bidder in self.gone or bidder not in self.opened:
            return None
        return self.opened[bidder].price


async def switches_then(tx: Transaction, lot: LotRow) -> Switches:
    """What the lot's procedure demands, as the law stood on the day it was published."""
    project = await lots.project_of(tx, lot)
    return switches_of(Procedure(project.procedure), on=beijing_day(lot.published_at or tx.now))


async def talk_file(tx: Transaction, lot: LotRow) -> TalkFile | None:
    """Everything on record of a lot's talks now; None for a procedure that has none."""
    switches = await switches_then(tx, lot)
    if not holds_talks(switches):
        return None
    project = await lots.project_of(tx, lot)
    rows = await tx.session.scalars(
        select(OpenedBidRow).where(
            col(OpenedBidRow.lot_id) == lot.id, col(OpenedBidRow.outcome).in_(OPENED)
        )
    )
    responses = rows.all()
    talks = await tx.session.scalars(
        select(TalkRow)
        .where(col(TalkRow.lot_id) == lot.id)
        .order_by(col(TalkRow.held_at), col(TalkRow.id))
    )
    answers = await tx.session.scalars(
        select(TalkAnswerRow)
        .join(TalkRow, col(TalkRow.id) == col(TalkAnswerRow.talk_id))
        .where(col(TalkRow.lot_id) == lot.id)
    )
    changes = await tx.session.scalars(
        select(DemandChangeRow)
        .where(col(DemandChangeRow.lot_id) == lot.id)
        .order_by(col(DemandChangeRow.number))
    )
    left = await tx.session.scalars(select(TalkLeaveRow).where(col(TalkLeaveRow.lot_id) == lot.id))
    newest = await tx.session.scalars(
        select(LastPriceRow)
        .where(col(LastPriceRow.lot_id) == lot.id)
        .ext(distinct_on(col(LastPriceRow.bidder_id)))
        .order_by(col(LastPriceRow.bidder_id), col(LastPriceRow.seq).desc())
    )
    openings = await tx.session.scalars(
        select(LastPriceOpeningRow).where(col(LastPriceOpeningRow.lot_id) == lot.id)
    )
    call = await tx.session.get(LastPriceCallRow, lot.id)
    pauses = () if call is None else await pauses_since(tx.session, lot.id, call.called_at)
    times = None
    if call is not None:
        times = after_pauses(call_of(call), [one.pause for one in pauses], now=tx.now)
    gone = {one.bidder_id: one for one in left}
    handed_in = {one.bidder_id: one for one in newest}
    opened = {one.bidder_id: one for one in openings}
    return TalkFile(
        lot,
        switches,
        project.scope.get("method_ground") in ALLOW_TWO,
        phase_of(
            tx.now,
            in_evaluation=lot.state == LotState.IN_EVALUATION,
            reported=LotState.IN_EVALUATION in lot.path,
            call=times,
            handed_in=handed_in.keys() - gone.keys(),
            opened=opened,
        ),
        {one.bidder_id: one.bid_id for one in responses},
        {one.bidder_id: one.price for one in responses},
        tuple(talks),
        {one.talk_id: one for one in answers},
        tuple(changes),
        gone,
        call,
        handed_in,
        opened,
        times,
        pauses,
    )


async def pauses_since(
    line: AsyncSession | AsyncConnection, lot_id: UUID, since: datetime
) -> tuple[ProvenPause, ...]:
    """The times since then in which the lot stood still, as the journal tells them."""
    rows = await line.execute(
        select(col(JournalRow.id), col(JournalRow.kind), col(JournalRow.recorded_at))
        .where(
            col(JournalRow.subject_id) == lot_id,
            col(JournalRow.kind).in_(["LotSuspended", "LotResumed"]),
            col(JournalRow.recorded_at) >= since,
        )
        .order_by(col(JournalRow.recorded_at), col(JournalRow.kind).desc())
    )
    pauses: list[ProvenPause] = []
    for entry_id, kind, at in rows:
        if kind == "LotSuspended":
            pauses.append(ProvenPause(Pause(at, None), entry_id, None))
        elif pauses:
            begun = pauses[-1]
            ended = Pause(begun.pause.since, at)
            pauses[-1] = ProvenPause(ended, begun.suspended_entry, entry_id)
    return tuple(pauses)


def call_of(row: LastPriceCallRow) -> PriceCall:
    """The call as the rules know it."""
    return PriceCall(row.due_at, row.window_until, frozenset(map(UUID, row.asked)))
