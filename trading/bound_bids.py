"""Which bids still bind their bidders, and for how long: what was asked, and what each answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from kernel.store.transaction import Transaction
from trading.counted_bids import counted_bids
from trading.rules.award_gates import validity_until
from trading.rules.validity_extension import left_at
from trading.tables import LotRow, ValidityAnswerRow, ValidityRequestRow


@dataclass(frozen=True, slots=True)
class Lapse:
    """When a bid stopped binding its bidder, over which request, and its refusal if it sent one."""

    at: datetime
    request: int
    refusal: ValidityAnswerRow | None


@dataclass(frozen=True, slots=True)
class BoundBids:
    """The requests of a lot in order, the answers by number and bidder, and who has left when."""

    first_days: int
    requests: tuple[ValidityRequestRow, ...]
    answers: Mapping[tuple[int, UUID], ValidityAnswerRow]
    left: Mapping[UUID, datetime]

    def days_of(self, bidder: UUID) -> int:
        """The days from the deadline for which this bidder promised to be bound."""
        agreed = [
            one.validity_days
            for one in self.requests
            if (answer := self.answers.get((one.number, bidder))) is not None and answer.agreed
        ]
        return max(agreed, default=self.first_days)

    @property
    def longest_days(self) -> int:
        """The days that were asked for last, or those of the timetable."""
        return self.requests[-1].validity_days if self.requests else self.first_days

    def lapse_of(self, bidder: UUID) -> Lapse | None:
        """How this bidder's bid stopped binding it; None where it still does."""
        at = self.left.get(bidder)
        if at is None:
            return None
        answered = [self.answers.get((one.number, bidder)) for one in self.requests]
        refusal = next((one for one in answered if one is not None and not one.agreed), None)
        if refusal is not None:
            return Lapse(at, refusal.number, refusal)
        promised = self.days_of(bidder)
        unheard = next(one for one in self.requests if one.validity_days > promised)
        return Lapse(at, unheard.number, None)

    def until(self, lot: LotRow, bidder: UUID) -> datetime:
        """When this bidder's bid stops binding it, where it did not leave before."""
        assert lot.bids_due_at is not None
        return validity_until(lot.bids_due_at, self.days_of(bidder))


async def bound_bids(tx: Transaction, lot: LotRow) -> BoundBids:
    """What the bidders of a lot promised, as far as they were asked."""
    requests = tuple(
        await tx.session.scalars(
            select(ValidityRequestRow)
            .where(col(ValidityRequestRow.lot_id) == lot.id)
            .order_by(col(ValidityRequestRow.number))
        )
    )
    answers = {
        (one.number, one.bidder_id): one
        for one in await tx.session.scalars(
            select(ValidityAnswerRow).where(col(ValidityAnswerRow.lot_id) == lot.id)
        )
    }
    bound = BoundBids(lot.validity_days, requests, answers, {})
    if not requests:
        return bound
    left = {
        bidder: gone
        for bidder in [one.bidder_id for one in await counted_bids(tx.session, lot.id)]
        if (gone := _left_at(bound, lot, bidder, now=tx.now)) is not None
    }
    return BoundBids(lot.validity_days, requests, answers, left)


def _left_at(bound: BoundBids, lot: LotRow, bidder: UUID, *, now: datetime) -> datetime | None:
    promised = bound.days_of(bidder)
    replies = [(one, bound.answers.get((one.number, bidder))) for one in bound.requests]
    refusals = [answer.answered_at for _, answer in replies if answer and not answer.agreed]
    open_to_it = [one.answer_by for one, answer in replies if one.validity_days > promised]
    return left_at(
        refused_at=min(refusals, default=None),
        unanswered_until=min(open_to_it, default=None),
        promised_until=bound.until(lot, bidder),
        now=now,
    )
