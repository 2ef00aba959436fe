"""Where the securities of a lot stand, worked out anew from what was stored each time it is asked.

Everybody who asks — bidder, centre, committee, tenderee, the alarm — asks here, so that no two of
them can be told different things. What each may see of it is decided by whoever asks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlmodel import col

from kernel.identifiers import LotId
from kernel.refusals import Caution
from kernel.store.tables import JournalRow
from kernel.store.transaction import Transaction
from trading.bound_bids import BoundBids, bound_bids
from trading.made_awards import awards_of
from trading.rules.award_annulment import AnnulmentGround, forfeits_security
from trading.rules.award_gates import VALIDITY_ARTICLE
from trading.rules.decryption_outcome import Decryption
from trading.rules.lot_lifecycle import LotState, was_closed, was_opened
from trading.rules.procedures import Switches
from trading.rules.security_course import (
    ReturnDue,
    SecurityFacts,
    SecurityState,
    admission_cautions,
    return_due,
    state_of,
)
from trading.rules.validity_extension import lapse_reason
from trading.tables import (
    AwardRow,
    BankLineRow,
    BidRow,
    ContractRow,
    GuaranteeRow,
    LotRow,
    OpenedBidRow,
    SecurityAccountRow,
    SecurityForfeitureRow,
    SecurityReturnRow,
    TalkLeaveRow,
)

ENDINGS: Final = ("LotFailed", "LotCancelled")
"""The entries with which a lot comes to nothing, so that securities go back to everybody."""

VOIDED: Final = "AwardVoided"
"""Another, unless the award was annulled and the next in order named."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One bidder's security in one lot, with all that shows it; `account` is None where the bidder
    bid and never asked how to pay.
    """

    lot_id: LotId
    bidder_id: UUID
    account: SecurityAccountRow | None
    facts: SecurityFacts
    due: ReturnDue | None
    state: SecurityState
    cautions: tuple[Caution, ...]
    revoked: bool
    arrivals: tuple[BankLineRow, ...]
    guarantee: GuaranteeRow | None
    returns: tuple[SecurityReturnRow, ...]
    forfeiture: SecurityForfeitureRow | None

    @property
    def unreturned(self) -> tuple[tuple[datetime, Decimal], ...]:
        """The payments that came after the last return, which took all that was there before."""
        last = max((one.returned_at for one in self.returns), default=None)
        return tuple(
            (one.received_at, one.amount)
            for one in self.arrivals
            if last is None or one.received_at > last
        )


@dataclass(frozen=True, slots=True)
class _Records:
    """What was stored about the accounts of one lot."""

    lines: Mapping[str, list[BankLineRow]]
    guarantees: Mapping[UUID, list[GuaranteeRow]]
    returns: Mapping[UUID, list[SecurityReturnRow]]
    forfeitures: Mapping[UUID, SecurityForfeitureRow]


def is_shown(lot: LotRow) -> bool:
    """Whether others than the bidders themselves may know of a lot's securities yet.

    Once its bids lie open; or when it came to nothing after its bidders had been named.
    """
    if was_opened(lot.path):
        return True
    return was_closed(lot.path) and lot.state in (LotState.FAILED, LotState.CANCELLED)


def lots_with_something_held() -> Select[UUID]:
    """The lots with an account into which something came and out of which it did not go."""
    account = col(SecurityAccountRow.id)

    def gone_since(at: Any) -> Any:
        went = col(SecurityReturnRow.account_id) == account
        return exists().where(went, col(SecurityReturnRow.returned_at) >= at)

    paid = exists().where(
        col(BankLineRow.reference) == col(SecurityAccountRow.reference),
        ~gone_since(col(BankLineRow.received_at)),
    )
    guaranteed = exists().where(
        col(GuaranteeRow.account_id) == account, ~gone_since(col(GuaranteeRow.filed_at))
    )
    kept = exists().where(col(SecurityForfeitureRow.account_id) == account)
    return select(col(SecurityAccountRow.lot_id)).where(or_(paid, guaranteed), ~kept).distinct()


async def standings_of(
    tx: Transaction, lot: LotRow, switches: Switches, *, only: UUID | None = None
) -> tuple[Standing, ...]:
    """The standings of all who bid or have an account, or of one bidder alone, by account."""
    query = select(SecurityAccountRow).where(col(SecurityAccountRow.lot_id) == lot.id)
    if only is not None:
        query = query.where(col(SecurityAccountRow.bidder_id) == only)
    accounts = {one.bidder_id: one for one in await tx.session.scalars(query)}
    bids = await _newest_bids(tx, lot.id)
    records = await _records(tx, accounts.values())
    whole = await _course(tx, lot)
    outcomes = {
        one.bidder_id: one
        for one in await tx.session.scalars(
            select(OpenedBidRow).where(col(OpenedBidRow.lot_id) == lot.id)
        )
    }
    standing_bids = {bidder for bidder, bid in bids.items() if not bid.withdrawn}
    everybody = {only} if only is not None else standing_bids | set(accounts)

    def ordered(bidder: UUID) -> tuple[bool, str]:
        account = accounts.get(bidder)
        return (account is None, str(bidder) if account is None else account.reference)

    return tuple(
        _standing(
            tx,
            lot,
            bidder,
            accounts.get(bidder),
            bids.get(bidder),
            outcomes.get(bidder),
            whole,
            records,
            switches,
        )
        for bidder in sorted(everybody, key=ordered)
    )


@dataclass(frozen=True, slots=True)
class _Course:
    """What has become of the lot as a whole."""

    ended_at: datetime | None
    award: AwardRow | None
    refused: frozenset[UUID]
    contract_at: datetime | None
    bound: BoundBids
    left_talks: Mapping[UUID, datetime]


async def _course(tx: Transaction, lot: LotRow) -> _Course:
    made = await awards_of(tx, lot.id)
    award = made[-1].row if made and made[-1].annulment is None else None
    ended: ColumnElement[bool] = col(JournalRow.kind).in_(ENDINGS)
    if award is not None:
        voided = and_(
            col(JournalRow.kind) == VOIDED, col(JournalRow.recorded_at) >= award.awarded_at
        )
        ended = or_(ended, voided)
    ended_at = await tx.session.scalar(
        select(func.min(col(JournalRow.recorded_at))).where(
            col(JournalRow.subject_id) == lot.id, ended
        )
    )
    return _Course(
        ended_at,
        award,
        frozenset(
            one.row.winner_id
            for one in made
            if one.annulment is not None
            and forfeits_security(AnnulmentGround(one.annulment.ground))
        ),
        await tx.session.scalar(
            select(col(ContractRow.signed_at)).where(col(ContractRow.lot_id) == lot.id)
        ),
        await bound_bids(tx, lot),
        await _left_talks(tx, lot),
    )


async def _left_talks(tx: Transaction, lot: LotRow) -> dict[UUID, datetime]:
    """Who left the talks, and when; while they go on nobody outside the group learns of it."""
    if lot.state == LotState.IN_EVALUATION:
        return {}
    rows = await tx.session.scalars(select(TalkLeaveRow).where(col(TalkLeaveRow.lot_id) == lot.id))
    return {one.bidder_id: one.left_at for one in rows}


async def _newest_bids(tx: Transaction, lot_id: UUID) -> dict[UUID, BidRow]:
    rows = await tx.session.scalars(
        select(BidRow)
        .where(col(BidRow.lot_id) == lot_id)
        .ext(distinct_on(col(BidRow.bidder_id)))
        .order_by(col(BidRow.bidder_id), col(BidRow.seq).desc())
    )
    return {row.bidder_id: row for row in rows}


async def _records(tx: Transaction, accounts: Collection[SecurityAccountRow]) -> _Records:
    ids = [one.id for one in accounts]
    lines: dict[str, list[BankLineRow]] = defaultdict(list)
    guarantees: dict[UUID, list[GuaranteeRow]] = defaultdict(list)
    returns: dict[UUID, list[SecurityReturnRow]] = defaultdict(list)
    for line in await tx.session.scalars(
        select(BankLineRow)
        .where(col(BankLineRow.reference).in_([one.reference for one in accounts]))
        .order_by(col(BankLineRow.received_at), col(BankLineRow.serial))
    ):
        lines[line.reference].append(line)
    for paper in await tx.session.scalars(
        select(GuaranteeRow)
        .where(col(GuaranteeRow.account_id).in_(ids))
        .order_by(col(GuaranteeRow.filed_at), col(GuaranteeRow.digest))
    ):
        guarantees[paper.account_id].append(paper)
    for back in await tx.session.scalars(
        select(SecurityReturnRow)
        .where(col(SecurityReturnRow.account_id).in_(ids))
        .order_by(col(SecurityReturnRow.recorded_at))
    ):
        returns[back.account_id].append(back)
    kept = await tx.session.scalars(
        select(SecurityForfeitureRow).where(col(SecurityForfeitureRow.account_id).in_(ids))
    )
    return _Records(lines, guarantees, returns, {one.account_id: one for one in kept})


def _standing(
    tx: Transaction,
    lot: LotRow,
    bidder: UUID,
    account: SecurityAccountRow | None,
    bid: BidRow | None,
    outcome: OpenedBidRow | None,
    whole: _Course,
    records: _Records,
    switches: Switches,
) -> Standing:
    assert lot.bids_due_at is not None
    arrivals = [] if account is None else records.lines.get(account.reference, [])
    papers = [] if account is None else records.guarantees.get(account.id, [])
    returns = [] if account is None else records.returns.get(account.id, [])
    forfeiture = None if account is None else records.forfeitures.get(account.id)
    handed_back = max((one.returned_at for one in returns if one.with_guarantee), default=None)
    standing_papers = [one for one in papers if handed_back is None or one.filed_at > handed_back]
    in_time = any(one.filed_at < lot.bids_due_at for one in standing_papers)
    award = whole.award
    revoked = outcome is not None and outcome.outcome == Decryption.REVOKED
    withdrawn = outcome is not None and outcome.outcome == Decryption.WITHDRAWN
    facts = SecurityFacts(
        asked=lot.bid_security,
        bids_due_at=lot.bids_due_at,
        paid=_sum(arrivals),
        paid_in_time=_sum([one for one in arrivals if one.received_at < lot.bids_due_at]),
        given_back=sum((one.principal for one in returns), Decimal(0)),
        guaranteed=in_time,
        guarantee_back=bool(papers) and not standing_papers,
        forfeited=forfeiture is not None,
        closed=was_closed(lot.path),
        has_bid=bid is not None and not bid.withdrawn,
        withdrawn_at=bid.received_at if bid is not None and bid.withdrawn else None,
        deemed_withdrawn_at=lot.release_until if withdrawn else None,
        extension_refused_at=whole.bound.left.get(bidder),
        left_talks_at=whole.left_talks.get(bidder),
        ended_at=whole.ended_at,
        awarded_at=None if award is None else award.awarded_at,
        contract_at=whole.contract_at,
        won=award is not None and award.winner_id == bidder,
        award_refused=bidder in whole.refused,
    )
    due = return_due(facts, switches, calendar=tx.settings.calendar)
    return Standing(
        LotId(lot.id),
        bidder,
        account,
        facts,
        due,
        state_of(facts, due=due),
        _cautions(facts, switches),
        revoked,
        tuple(arrivals),
        papers[-1] if papers else None,
        tuple(returns),
        forfeiture,
    )


def _cautions(facts: SecurityFacts, switches: Switches) -> tuple[Caution, ...]:
    """What the committee is told of a bid: of its security, and that it binds nobody any more."""
    if not (facts.closed and facts.has_bid):
        return ()
    found = admission_cautions(facts, switches)
    if facts.extension_refused_at is not None:
        found.append(Caution("bid_lapsed", VALIDITY_ARTICLE, lapse_reason(switches)))
    return tuple(found)


def _sum(lines: Sequence[BankLineRow]) -> Decimal:
    return sum((one.amount for one in lines), Decimal(0))
